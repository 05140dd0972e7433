"""The manifests: valid for a cluster, locked down, and true to what the services really are."""

from __future__ import annotations

import base64
import json
import re
from functools import lru_cache
from typing import get_args

import jsonschema
import kubernetes_validate
import pytest
import yaml

from contracts.subjects import CONSUMERS, Service, lane_consumer
from planning.lanes import all_lanes
from runtime.bus_accounts import (
    ADMIN,
    PASSWORD_VARIABLE,
    SERVER_FILE,
    authorization,
    server_variable,
)
from tests.deploy.custom_schemas import CUSTOM
from tests.deploy.environment import known_variables
from tests.deploy.rendering import DEPLOY, OVERLAYS, Manifest, containers, named, pods, rendered

SERVICES = get_args(Service)
KUBERNETES_VERSIONS = ("1.30", "1.37")
_schema = lru_cache(kubernetes_validate.utils.schema_contents)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_fits_its_schema(
    overlay: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It reads megabytes of definitions again for every manifest.
    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", _schema)
    for manifest in rendered(overlay):
        if manifest["kind"] in CUSTOM:
            jsonschema.validate(manifest, CUSTOM[manifest["kind"]])
        else:
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_locked_down_probed_and_sized(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        for container in containers(pod):
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"], name
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
            assert "memory" in container["resources"]["limits"], name
            image = container["image"]
            assert ":" in image.rpartition("/")[2], image
            assert not image.endswith(":latest"), image
        if name != "animatrix-init":
            assert all({"livenessProbe", "readinessProbe"} <= set(c) for c in spec["containers"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_one_deployment_per_service_from_one_image(overlay: str) -> None:
    deployments = named(overlay, "Deployment")
    images = set()
    for service in SERVICES:
        (container,) = deployments[service]["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["serve", service]
        images.add(container["image"])
        assert service in named(overlay, "PodDisruptionBudget")
    assert len(images) == 1
    assert {c["image"] for c in containers(pods(overlay)["animatrix-init"])} == images


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_variable_is_one_that_the_product_reads(overlay: str) -> None:
    known = known_variables()
    set_here = set(named(overlay, "ConfigMap")["animatrix-settings"]["data"])
    for pod in pods(overlay).values():
        for container in containers(pod):
            set_here |= {variable["name"] for variable in container.get("env", ())}
    ours = {name for name in set_here if name.startswith("ANIMATRIX_")}
    assert ours
    assert ours <= known, ours - known


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_secrets_are_referred_to_and_never_in_production_manifests(overlay: str) -> None:
    secrets = named(overlay, "Secret")
    assert bool(secrets) == (overlay == "dev")
    wanted: set[str] = set()
    for pod in pods(overlay).values():
        for container in containers(pod):
            for source in container.get("envFrom", ()):
                wanted |= {source["secretRef"]["name"]} if "secretRef" in source else set()
            for variable in container.get("env", ()):
                reference = variable.get("valueFrom", {}).get("secretKeyRef")
                if reference:
                    wanted.add(reference["name"])
    assert {"animatrix-gateway", "animatrix-database", "animatrix-media"} <= wanted
    assert "animatrix-bus" in wanted
    if overlay == "dev":
        assert wanted == set(secrets)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_process_has_its_own_account_of_the_bus_and_no_other(overlay: str) -> None:
    found: dict[str, set[str]] = {}
    for name, pod in pods(overlay).items():
        for container in containers(pod):
            for source in container.get("envFrom", ()):
                if source.get("secretRef", {}).get("name") == "animatrix-bus":
                    found.setdefault(name, set()).add("all")
            for variable in container.get("env", ()):
                reference = variable.get("valueFrom", {}).get("secretKeyRef", {})
                if reference.get("name") == "animatrix-bus":
                    assert variable["name"] == PASSWORD_VARIABLE
                    found.setdefault(name, set()).add(reference["key"])
    assert found == {
        **{service: {server_variable(service)} for service in SERVICES},
        "animatrix-init": {server_variable(ADMIN)},
        "nats": {"all"},
    }


def test_accounts_of_the_bus_are_those_of_the_contracts() -> None:
    written = (DEPLOY / "k8s" / "nats" / "accounts.conf").read_text()
    assert written.endswith(authorization()), "run `python -m runtime.bus_accounts config`"
    for config in ("k8s/nats", "docker", "origin"):
        text = (DEPLOY / config / "nats.conf").read_text()
        assert 'include "accounts.conf"' in text, config


def test_compose_and_units_give_each_process_its_own_account() -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    given = {name: one["env_file"] for name, one in composed.items() if "env_file" in one}
    assert given == {
        **{service: f"bus/{service}.env" for service in SERVICES},
        "init": f"bus/{ADMIN}.env",
        "nats": f"bus/{SERVER_FILE}",
    }
    units = {path.name: path.read_text() for path in (DEPLOY / "origin/systemd").iterdir()}
    for unit, file in (
        ("animatrix@.service", "%i.env"),
        ("animatrix-init.service", f"{ADMIN}.env"),
        ("nats.service", SERVER_FILE),
    ):
        assert re.findall(r"^EnvironmentFile=/etc/animatrix/bus/(.+)$", units[unit], re.M) == [file]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_scaling_reads_consumers_that_the_provisioner_makes(overlay: str) -> None:
    made = {c.durable: c.stream for c in (*CONSUMERS, *map(lane_consumer, all_lanes()))}
    watched = {}
    for name, scaled in named(overlay, "ScaledObject").items():
        target = named(overlay, "Deployment")[scaled["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in target["spec"], f"{name}: applying would undo the scaling"
        for trigger in scaled["spec"]["triggers"]:
            watched[trigger["metadata"]["consumer"]] = trigger["metadata"]["stream"]
    assert watched == made


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_requests_of_one_client_reach_the_same_gateway(overlay: str) -> None:
    assert named(overlay, "Service")["gateway"]["spec"]["sessionAffinity"] == "ClientIP"
    annotations = named(overlay, "Ingress")["animatrix"]["metadata"]["annotations"]
    by = annotations["nginx.ingress.kubernetes.io/upstream-hash-by"]
    assert {"$binary_remote_addr", "$http_authorization", "$cookie_animatrix_session"} == {
        f"${part}" for part in by.split("$")[1:]
    }


def test_executors_are_never_more_than_engines() -> None:
    secret = named("dev", "Secret")["animatrix-engines"]["data"]["engines.json"]
    engines = json.loads(base64.b64decode(secret))
    most = named("dev", "ScaledObject")["executor"]["spec"]["maxReplicaCount"]
    assert most == len(engines)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_service_may_take_thirty_seconds_to_leave(overlay: str) -> None:
    for service in SERVICES:
        assert pods(overlay)[service]["spec"]["terminationGracePeriodSeconds"] >= 35


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_nothing_talks_unless_a_policy_lets_it(overlay: str) -> None:
    policies = named(overlay, "NetworkPolicy")
    assert policies["deny-all"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }

    def chosen(policy: Manifest, labels: dict[str, str]) -> bool:
        selector = policy["spec"]["podSelector"]
        if any(labels.get(k) != v for k, v in selector.get("matchLabels", {}).items()):
            return False
        return all(
            labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", ())
        )

    def ports(name: str, direction: str) -> set[int]:
        labels = pods(overlay)[name]["metadata"]["labels"]
        return {
            port["port"]
            for policy in policies.values()
            if chosen(policy, labels)
            for rule in policy["spec"].get(direction, ())
            for port in rule["ports"]
        }

    for service in SERVICES:
        assert {53, 4222, 443} <= ports(service, "egress")
        assert (5432 in ports(service, "egress")) == (service == "gateway")
        expected = {8080, 9000} if service == "gateway" else {9000}
        assert ports(service, "ingress") == expected
    assert {53, 4222, 443, 5432} <= ports("animatrix-init", "egress")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_bus_has_three_members_and_streams_three_copies(overlay: str) -> None:
    assert named(overlay, "StatefulSet")["nats"]["spec"]["replicas"] == 3
    (provision,) = pods(overlay)["animatrix-init"]["spec"]["initContainers"]
    assert provision["args"] == ["provision", "--replicas", "3"]


def test_production_names_no_address_and_no_bare_engine_port() -> None:
    text = json.dumps(rendered("prod"))
    assert "8188" not in text
    assert "simulator" not in text
    settings = named("prod", "ConfigMap")["animatrix-settings"]["data"]
    assert settings["ANIMATRIX_S3_ENDPOINT"].startswith("https://")
