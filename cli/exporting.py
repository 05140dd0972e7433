"""Writes a job's graphs and inputs into a folder or a zip file that any ComfyUI can run.

What belongs to it is the server's answer; names from there are checked before a file is written.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from cli.answers import Answer
from cli.client import ApiClient
from cli.demo_assets import sha256_of
from cli.trouble import Trouble

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


class Place(Answer):
    """One input of one node."""

    node: str
    input: str


class Input(Answer):
    """A file that a graph loads."""

    subfolder: str
    filename: str
    sha256: str
    url: str
    at: tuple[Place, ...]


class Step(Answer):
    """One graph."""

    step: int
    ran: bool
    graph_sha256: str
    graph_url: str
    inputs: tuple[Input, ...]
    prefix_at: tuple[Place, ...]
    outputs: dict[str, str]


class Export(Answer):
    """Everything of a job that any ComfyUI can run."""

    job_id: str
    steps: tuple[Step, ...]
    left_out: tuple[str, ...]


def export(client: ApiClient, job_id: str, out: Path, console: Console) -> None:
    """Write the job to a folder, or to a file where `out` ends in .zip.

    Raises Trouble when there is nothing to export, `out` is there already, or a file is not what
    its hash says.
    """
    if out.exists():
        raise Trouble(f"{out} is there already.", "Name another place with --out.")
    found = client.ask(Export, "GET", f"/api/jobs/{job_id}/export")
    if not found.steps:
        raise Trouble("The job has nothing that a ComfyUI could run.", "", found.left_out)
    if out.suffix == ".zip":
        with tempfile.TemporaryDirectory() as folder:
            inside = Path(folder) / out.stem
            _write(client, found, inside)
            made = shutil.make_archive(str(Path(folder) / "made"), "zip", folder, out.stem)
            shutil.move(made, out)
    else:
        _write(client, found, out)
    console.print(f"Wrote {len(found.steps)} graph(s) to {escape(str(out))}", highlight=False)
    for line in found.left_out:
        console.print(f"[yellow]{escape(line)}[/]", highlight=False)


def _write(client: ApiClient, found: Export, folder: Path) -> None:
    folder.mkdir(parents=True)
    graphs = []
    for step in found.steps:
        name = "graph.json" if len(found.steps) == 1 else f"graph-{step.step + 1}.json"
        for file in step.inputs:
            target = folder / "inputs" / _plain(file.subfolder) / _plain(file.filename)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                _fetch(client, file.url, file.sha256, target)
        _fetch(client, step.graph_url, step.graph_sha256, folder / name)
        if not step.ran:
            _name_outputs(folder / name, step, found.job_id)
        graphs.append((name, step))
    (folder / "README.md").write_text(_readme(found, graphs))


def _fetch(client: ApiClient, url: str, sha256: str, target: Path) -> None:
    client.download(url, target)
    if sha256_of(target) != sha256:
        raise Trouble(f"{target} did not come as it was stored.", "Export again.")


def _name_outputs(path: Path, step: Step, job_id: str) -> None:
    """Fills what an executor would fill: the names of the saved files."""
    graph: dict[str, Any] = json.loads(path.read_text())
    for place in step.prefix_at:
        graph[place.node]["inputs"][place.input] = f"animatrix/{job_id}/step-{step.step + 1}"
    path.write_text(json.dumps(graph, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def _plain(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise Trouble(f"The server named a file that cannot be written: {name!r}")
    return name


def _readme(found: Export, graphs: list[tuple[str, Step]]) -> str:
    files = sorted({(f.subfolder, f.filename) for _, step in graphs for f in step.inputs})
    lines = [
        f"# Job {found.job_id} for any ComfyUI",
        "",
        "The graphs are in ComfyUI's API form, with prompt, seed and file names in them. The "
        "engine needs the models and custom nodes that they name.",
        "",
        "1. Put the inputs where the graphs look for them: copy the folders below `inputs/` into",
        "   ComfyUI's `input/` folder, or upload them (COMFYUI is its address):",
        "",
        *(
            f"       curl -F image=@inputs/{folder}/{name} -F subfolder={folder} "
            "-F overwrite=true $COMFYUI/upload/image"
            for folder, name in files
        ),
        "",
        "2. Queue the graphs, each with:",
        "",
        *(
            f"       (printf '{{\"prompt\": '; cat {name}; printf '}}') | curl "
            "-H 'Content-Type: application/json' -d @- $COMFYUI/prompt"
            for name, _ in graphs
        ),
        "",
        "| graph | as an engine was sent it | saves |",
        "|---|---|---|",
        *(
            f"| {name} | {'yes' if step.ran else 'no, as planned'} | "
            f"{', '.join(f'{what} (node {node})' for what, node in step.outputs.items())} |"
            for name, step in graphs
        ),
    ]
    if len(graphs) > 1:
        lines += [
            "",
            "Each graph makes one part of the video; parts that go on from another one load what "
            "it left, which lies among the inputs. Animatrix joins the parts afterwards.",
        ]
    if found.left_out:
        lines += ["", "Not in here:", "", *(f"- {line}" for line in found.left_out)]
    return "\n".join(lines) + "\n"
