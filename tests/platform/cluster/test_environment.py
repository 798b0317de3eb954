"""Variables of a job, and which processes get them."""

import os
from pathlib import Path

import pytest

from mixfront.cluster import environment
from mixfront.exceptions import UsageError

NAMES = ["STORE_KEY", "MLFLOW_TRACKING_PASSWORD"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job's folder with two variables, which are unset in this process."""
    for name in NAMES:
        monkeypatch.setenv(name, f"value of {name}")
    environment.write_environment(tmp_path, NAMES)
    for name in NAMES:
        monkeypatch.delenv(name)
    return tmp_path


def _set_names() -> list[str]:
    return [name for name in NAMES if os.environ.get(name) == f"value of {name}"]


def test_the_driver_gets_every_variable(package: Path) -> None:
    environment.load_in_driver(package)
    assert _set_names() == NAMES


def test_workers_get_no_credentials_of_the_tracking_server(package: Path) -> None:
    environment.load_in_worker(package)
    assert _set_names() == ["STORE_KEY"]


def test_the_file_is_private_again_after_ray_unpacked_it(package: Path) -> None:
    file = package / environment.FILE
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    environment.load_in_worker(package)
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_missing_file_sets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environment.load_in_driver()
    assert _set_names() == []


def test_an_unset_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--env MIXFRONT_NO_SUCH: the variable is not set"):
        environment.write_environment(tmp_path, ["MIXFRONT_NO_SUCH"])


def test_the_hook_names_an_existing_function() -> None:
    module, name = environment.HOOK.rsplit(".", 1)
    assert (module, getattr(environment, name)) == (
        "mixfront.cluster.environment",
        environment.load_in_worker,
    )
