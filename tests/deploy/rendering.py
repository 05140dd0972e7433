"""Renders the Kubernetes overlays with kustomize and knows where the files of deploy/ are."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.promised import skip_or_fail

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
OVERLAYS = ("dev", "prod")
Manifest = dict[str, Any]


@lru_cache
def rendered(overlay: str) -> tuple[Manifest, ...]:
    """Every manifest of an overlay, as kustomize makes it."""
    folder = DEPLOY / "k8s" / "overlays" / overlay
    if shutil.which("kustomize"):
        argv = ["kustomize", "build", str(folder)]
    elif shutil.which("kubectl"):
        argv = ["kubectl", "kustomize", str(folder)]
    else:
        skip_or_fail("neither kustomize nor kubectl is there")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return tuple(manifest for manifest in yaml.safe_load_all(done.stdout) if manifest)


def named(overlay: str, kind: str) -> dict[str, Manifest]:
    """The manifests of a kind by name."""
    return {m["metadata"]["name"]: m for m in rendered(overlay) if m["kind"] == kind}


def pods(overlay: str) -> dict[str, Manifest]:
    """Pod templates of everything that runs, by name."""
    kinds = ("Deployment", "StatefulSet", "Job")
    return {
        name: manifest["spec"]["template"]
        for kind in kinds
        for name, manifest in named(overlay, kind).items()
    }


def containers(pod: Manifest) -> list[Manifest]:
    """All containers of a pod template, those of its start included."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
