"""The files of a job's search."""

import json
from pathlib import Path
from typing import Any

import pytest

from mixfront.cluster.kubernetes.options import ManifestOptions
from mixfront.cluster.kubernetes.search_files import search_files
from mixfront.exceptions import SpecError
from mixfront.spec.search_spec import SearchSpec, load_spec

REMOTE = (
    "data.path=s3://logs/clicks",
    "storage=s3://ranking/mixfront",
    "tracking.uri=http://mlflow:5000",
    "optuna_storage=postgresql://db/optuna",
)


def spec(tmp_path: Path, *overrides: str) -> SearchSpec:
    (tmp_path / "clicks.schema.yaml").write_text("label: click")
    (tmp_path / "clicks.yaml").write_text(
        "name: clicks\n"
        "data: {path: clicks, schema: clicks.schema.yaml, validation: 'day == 1'}\n"
        "training: {optimizer: {lr: 1e-05}}\n"
    )
    return load_spec(str(tmp_path / "clicks.yaml"), (*REMOTE, *overrides))


def options(**fields: Any) -> ManifestOptions:
    return ManifestOptions(image="i", name="clicks", kind="job", **fields)


def test_the_driver_reads_the_same_search(tmp_path: Path) -> None:
    search = spec(tmp_path)
    pod = tmp_path / "pod"
    pod.mkdir()
    for name, text in search_files(search, options()).items():
        (pod / name).write_text(text)
    read = load_spec(str(pod / "spec.yaml"))
    assert read.data.schema_ == str(pod / "schema.yaml")
    assert (pod / "schema.yaml").read_text() == "label: click"
    schema = {"schema_": search.data.schema_}
    assert read.model_copy(update={"data": read.data.model_copy(update=schema)}) == search


def test_an_own_space_is_sent(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("include: [small]")
    files = search_files(spec(tmp_path, f"space={tmp_path}/own.yaml"), options())
    assert files["space.yaml"] == "include: [small]"
    assert json.loads(files["spec.yaml"])["space"] == "./space.yaml"


def test_a_secret_keeps_the_servers_out_of_the_manifest(tmp_path: Path) -> None:
    search = spec(tmp_path, "optuna_storage=postgresql://me:secret@db/optuna")
    text = search_files(search, options(driver_secret="tracking"))["spec.yaml"]
    assert "secret" not in text
    assert "mlflow:5000" not in text


def test_a_volume_is_shared(tmp_path: Path) -> None:
    search_files(spec(tmp_path, "data.path=/mnt/mixfront/clicks"), options())


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("data.path=/data/clicks", "data.path is '/data/clicks', which pods cannot access"),
        ("storage=/mnt/mixfronts", "storage is '/mnt/mixfronts', which pods cannot access"),
        ("data.path=s3://key:word@b/c", "put the storage's credentials into a Secret"),
        ("tracking.uri=sqlite:////a.db", "MLFLOW_TRACKING_URI into a Secret"),
        ("optuna_storage=postgresql://me:word@db/o", "OPTUNA_STORAGE into a Secret"),
    ],
)
def test_what_pods_cannot_use_is_refused(tmp_path: Path, override: str, sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence) as caught:
        search_files(spec(tmp_path, override), options())
    assert "word" not in str(caught.value).replace("a password", "")


def test_large_files_are_refused(tmp_path: Path) -> None:
    search = spec(tmp_path)
    (tmp_path / "clicks.schema.yaml").write_text("#" * 1_000_001)
    with pytest.raises(SpecError, match="a ConfigMap holds 1 MiB"):
        search_files(search, options())
