"""Manifests against KubeRay's own definitions, unknown fields refused.

No package ships the definitions: `KUBERAY_CRDS=DIR pytest` takes a folder with
`ray.io_rayclusters.yaml` and `ray.io_rayjobs.yaml` of KubeRay 1.7, gzipped or not.
"""

import copy
import gzip
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.platform.cluster.kubernetes.manifests import CASES, golden

VARIABLE = "KUBERAY_CRDS"
FILES = {"RayCluster": "ray.io_rayclusters.yaml", "RayJob": "ray.io_rayjobs.yaml"}


@pytest.fixture(scope="module")
def schemas() -> dict[str, dict[str, Any]]:
    """The strict schema of each kind."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"{VARIABLE} names no folder with KubeRay's definitions")
    return {kind: _schema(Path(folder), name) for kind, name in FILES.items()}


@pytest.mark.parametrize("case", CASES)
def test_valid(case: str, schemas: dict[str, dict[str, Any]]) -> None:
    (item,) = (item for item in golden(case) if item["kind"] in FILES)
    jsonschema.Draft202012Validator(schemas[item["kind"]]).validate(item)


@pytest.mark.parametrize(
    "path",
    [
        ("spec", "rayVersoin"),
        ("spec", "autoscalerOptions", "versoin"),
        ("spec", "headGroupSpec", "template", "spec", "securityContext", "runAsRoot"),
    ],
)
def test_planted_mistakes_are_found(
    path: tuple[str, ...], schemas: dict[str, dict[str, Any]]
) -> None:
    (item,) = (i for i in golden("cluster_gpu") if i["kind"] == "RayCluster")
    wrong = copy.deepcopy(item)
    *parents, last = path
    section = wrong
    for key in parents:
        section = section[key]
    section[last] = "v2"
    errors = list(jsonschema.Draft202012Validator(schemas["RayCluster"]).iter_errors(wrong))
    assert any(last in error.message for error in errors)


def _schema(folder: Path, name: str) -> dict[str, Any]:
    plain, packed = folder / name, folder / f"{name}.gz"
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes()
    versions = yaml.load(data, yaml.CSafeLoader)["spec"]["versions"]
    (v1,) = (version for version in versions if version["name"] == "v1")
    schema: dict[str, Any] = strict(v1["schema"]["openAPIV3Schema"], at_top=True)
    return schema


def strict(schema: Any, *, at_top: bool = False) -> Any:
    """The schema with unknown fields refused wherever the fields are listed."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(part) for key, part in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        result = {"type": ["integer", "string"]}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        names = schema["properties"]
        if at_top:
            result["properties"]["metadata"] = {"type": "object"}
        elif names and not schema.get("x-kubernetes-preserve-unknown-fields"):
            result.setdefault("additionalProperties", False)
    return result
