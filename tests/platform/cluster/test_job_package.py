"""The package of a job for a cluster."""

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
def package(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "package"
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
    """Unset the variables of the environment that the tests run in."""
    for name in ("MLFLOW_TRACKING_URI", "OPTUNA_STORAGE", "MIXFRONT_STORAGE"):
        monkeypatch.delenv(name, raising=False)


def _unpacked(package: Path) -> SearchSpec:
    """The spec as the job's driver reads it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in json.loads((package / "environment.json").read_text()).items():
            patch.setenv(name, value)
        return load_spec(str(package / SPEC))


def test_a_spec_is_sent_with_its_schema(tmp_path: Path, package: Path) -> None:
    pack(_spec(tmp_path, *REMOTE), package, env=[], shared=False)
    assert (package / "schema.yaml").read_text() == "label: click"
    unpacked = _unpacked(package)
    assert unpacked.data.schema_ == str(package / "schema.yaml")
    assert unpacked.data.path == "s3://logs/clicks"
    assert unpacked.training.optimizer.lr == 1e-05


def test_the_rest_of_the_spec_is_unchanged(tmp_path: Path, package: Path) -> None:
    spec = _spec(tmp_path, *REMOTE)
    pack(spec, package, env=[], shared=False)
    unpacked = _unpacked(package).dump()
    unpacked["data"]["schema"] = spec.data.schema_
    assert unpacked == spec.dump()


def test_a_users_own_space_is_sent(tmp_path: Path, package: Path) -> None:
    (tmp_path / "mine.yaml").write_text("families: []")
    pack(_spec(tmp_path, *REMOTE, f"space={tmp_path}/mine.yaml"), package, env=[], shared=False)
    assert (package / "space.yaml").read_text() == "families: []"
    assert _unpacked(package).space == str(package / "space.yaml")


def test_a_packaged_space_stays_a_name(tmp_path: Path, package: Path) -> None:
    pack(_spec(tmp_path, *REMOTE, "space=unimixer"), package, env=[], shared=False)
    assert _unpacked(package).space == "unimixer"


@pytest.mark.parametrize("missing", range(4))
def test_local_locations_are_refused(tmp_path: Path, package: Path, missing: int) -> None:
    key = REMOTE[missing].split("=")[0]
    overrides = [*REMOTE[:missing], *REMOTE[missing + 1 :]]
    if key == "optuna_storage":
        overrides.append("optuna_storage=sqlite:////study/optuna.db")
    with pytest.raises(
        SpecError, match=rf"^{key} is .* which only this machine can access; .*--shared"
    ):
        pack(_spec(tmp_path, *overrides), package, env=[], shared=False)


def test_passwords_are_only_in_the_private_file(tmp_path: Path, package: Path) -> None:
    secret = ("tracking.uri=http://me:hidden@mlflow:5000", "optuna_storage=mysql://me:hidden@db/o")
    spec = _spec(tmp_path, *REMOTE[:2], *secret)
    pack(spec, package, env=[], shared=False)
    assert "hidden" not in (package / SPEC).read_text()
    assert (package / "environment.json").stat().st_mode & 0o077 == 0
    assert _unpacked(package).tracking.uri == spec.tracking.uri
    assert _unpacked(package).optuna_storage == spec.optuna_storage


def test_shared_files_are_not_copied(tmp_path: Path, package: Path) -> None:
    spec = _spec(tmp_path)
    pack(spec, package, env=[], shared=True)
    assert _unpacked(package) == spec
    assert not (package / "schema.yaml").exists()


def test_an_unset_variable_is_refused(tmp_path: Path, package: Path) -> None:
    with pytest.raises(UsageError, match="MIXFRONT_NO_SUCH"):
        pack(_spec(tmp_path), package, env=["MIXFRONT_NO_SUCH"], shared=True)
