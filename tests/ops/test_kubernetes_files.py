"""The manifests: valid by the schemas of Kubernetes, complete, and without rights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "ops" / "kubernetes"
VERSION = "1.31"


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(FOLDER.glob("*.yaml")):
        if file.name != "kustomization.yaml":
            for one in yaml.safe_load_all(file.read_text()):
                yield f"{file.name}: {one['kind']} {one['metadata']['name']}", one


ALL = dict(manifests())
DEPLOYMENTS = [one for one in ALL.values() if one["kind"] == "Deployment"]


@pytest.mark.parametrize("name", ALL)
def test_every_manifest_is_valid(name: str) -> None:
    kubernetes_validate.validate(ALL[name], VERSION, strict=True)


def test_a_broken_one_would_be_found() -> None:
    broken = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicaz": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


def test_the_kustomization_names_every_file_but_the_example() -> None:
    named = set(yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"])
    files = {file.name for file in FOLDER.glob("*.yaml")}
    assert named == files - {"kustomization.yaml", "secret.example.yaml"}


def test_what_is_wanted_is_there() -> None:
    kinds = sorted(one["kind"] for one in ALL.values())
    assert kinds == [
        "ConfigMap", "Deployment", "Deployment", "HorizontalPodAutoscaler", "Namespace",
        "NetworkPolicy", "NetworkPolicy", "PodDisruptionBudget", "PodDisruptionBudget", "Secret",
        "Service",
    ]  # fmt: skip
    runtime = next(one for one in DEPLOYMENTS if one["metadata"]["name"] == "runtime")
    assert runtime["spec"]["replicas"] == 2


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["metadata"]["name"])
def test_no_pod_has_rights_that_it_does_not_need(deployment: dict[str, Any]) -> None:
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    security = container["securityContext"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert "memory" in container["resources"]["limits"]
