"""What is sent to a cluster, and what is refused."""

import json
from pathlib import Path

import pytest

from mixfront.cluster.job_package import SPEC, pack
from mixfront.exceptions import SpecError, UsageError
from mixfront.spec.search_spec import SearchSpec, load_spec

REMOTE = (
    "data.path=s3://logs/clicks",
    "storage=s3://ranking/mixfront",
    "tracking.uri=http://mlflow:5000",
    "optuna_storage=postgresql://db/optuna",
)


@pytest.fixture
def parcel(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "parcel"
    folder.mkdir()
    return folder


def _spec(tmp_path: Path, *overrides: str) -> SearchSpec:
    (tmp_path / "clicks.schema.yaml").write_text("label: click")
    (tmp_path / "clicks.yaml").write_text(
        "name: clicks\n"
        "data: {path: clicks, schema: clicks.schema.yaml, validation: 'day == 1'}\n"
        "training: {optimizer: {lr: 1e-05}}\n"
    )
    return load_spec(str(tmp_path / "clicks.yaml"), overrides)


@pytest.fixture(autouse=True)
def no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the environment that the tests run in."""
    for name in ("MLFLOW_TRACKING_URI", "OPTUNA_STORAGE", "MIXFRONT_STORAGE"):
        monkeypatch.delenv(name, raising=False)


def _unpacked(parcel: Path) -> SearchSpec:
    """The spec as the job's driver reads it."""
    with pytest.MonkeyPatch.context() as there:
        for name, value in json.loads((parcel / "environment.json").read_text()).items():
            there.setenv(name, value)
        return load_spec(str(parcel / SPEC))


def test_remote_spec_travels_with_its_schema(tmp_path: Path, parcel: Path) -> None:
    pack(_spec(tmp_path, *REMOTE), parcel, env=[], shared=False)
    assert (parcel / "schema.yaml").read_text() == "label: click"
    there = _unpacked(parcel)
    assert there.data.schema_ == str(parcel / "schema.yaml")
    assert there.data.path == "s3://logs/clicks"
    assert there.training.optimizer.lr == 1e-05


def test_rest_of_the_spec_is_what_run_would_take(tmp_path: Path, parcel: Path) -> None:
    spec = _spec(tmp_path, *REMOTE)
    pack(spec, parcel, env=[], shared=False)
    there = _unpacked(parcel).dump()
    there["data"]["schema"] = spec.data.schema_
    assert there == spec.dump()


def test_space_of_the_users_own_travels(tmp_path: Path, parcel: Path) -> None:
    (tmp_path / "mine.yaml").write_text("families: []")
    pack(_spec(tmp_path, *REMOTE, f"space={tmp_path}/mine.yaml"), parcel, env=[], shared=False)
    assert (parcel / "space.yaml").read_text() == "families: []"
    assert _unpacked(parcel).space == str(parcel / "space.yaml")


def test_packaged_space_stays_a_name(tmp_path: Path, parcel: Path) -> None:
    pack(_spec(tmp_path, *REMOTE, "space=unimixer"), parcel, env=[], shared=False)
    assert _unpacked(parcel).space == "unimixer"


@pytest.mark.parametrize("missing", range(4))
def test_places_that_only_this_machine_sees_are_refused(
    tmp_path: Path, parcel: Path, missing: int
) -> None:
    key = REMOTE[missing].split("=")[0]
    overrides = [*REMOTE[:missing], *REMOTE[missing + 1 :]]
    if key == "optuna_storage":
        overrides.append("optuna_storage=sqlite:////study/optuna.db")
    with pytest.raises(SpecError, match=rf"^{key} is .* which only this machine sees: .*--shared"):
        pack(_spec(tmp_path, *overrides), parcel, env=[], shared=False)


def test_passwords_are_in_the_private_file_only(tmp_path: Path, parcel: Path) -> None:
    secret = ("tracking.uri=http://me:hidden@mlflow:5000", "optuna_storage=mysql://me:hidden@db/o")
    spec = _spec(tmp_path, *REMOTE[:2], *secret)
    pack(spec, parcel, env=[], shared=False)
    assert "hidden" not in (parcel / SPEC).read_text()
    assert (parcel / "environment.json").stat().st_mode & 0o077 == 0
    assert _unpacked(parcel).tracking.uri == spec.tracking.uri
    assert _unpacked(parcel).optuna_storage == spec.optuna_storage


def test_shared_files_stay_where_they_are(tmp_path: Path, parcel: Path) -> None:
    spec = _spec(tmp_path)
    pack(spec, parcel, env=[], shared=True)
    assert _unpacked(parcel) == spec
    assert not (parcel / "schema.yaml").exists()


def test_environment_is_checked(tmp_path: Path, parcel: Path) -> None:
    with pytest.raises(UsageError, match="MIXFRONT_NO_SUCH"):
        pack(_spec(tmp_path), parcel, env=["MIXFRONT_NO_SUCH"], shared=True)
