"""Variables that travel, and who gets to know them."""

import os
from pathlib import Path

import pytest

from mixfront.cluster import environment
from mixfront.exceptions import UsageError

NAMES = ["STORE_KEY", "MLFLOW_TRACKING_PASSWORD"]


@pytest.fixture
def parcel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which two variables travel; this process has forgotten them again."""
    for name in NAMES:
        monkeypatch.setenv(name, f"value of {name}")
    environment.write_environment(tmp_path, NAMES)
    for name in NAMES:
        monkeypatch.delenv(name)
    return tmp_path


def _known() -> list[str]:
    return [name for name in NAMES if os.environ.get(name) == f"value of {name}"]


def test_driver_gets_everything(parcel: Path) -> None:
    environment.load_in_driver(parcel)
    assert _known() == NAMES


def test_worker_gets_no_credentials_of_the_tracking_server(parcel: Path) -> None:
    environment.load_in_worker(parcel)
    assert _known() == ["STORE_KEY"]


def test_file_is_private_again_after_ray_has_unpacked_it(parcel: Path) -> None:
    file = parcel / environment.FILE
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    environment.load_in_worker(parcel)
    assert file.stat().st_mode & 0o777 == 0o600


def test_nothing_travelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environment.load_in_driver()
    assert _known() == []


def test_variable_that_is_not_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--env MIXFRONT_NO_SUCH: it is not set"):
        environment.write_environment(tmp_path, ["MIXFRONT_NO_SUCH"])


def test_hook_is_the_name_of_the_function() -> None:
    module, name = environment.HOOK.rsplit(".", 1)
    assert (module, getattr(environment, name)) == (
        "mixfront.cluster.environment",
        environment.load_in_worker,
    )
