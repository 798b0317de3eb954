"""The rows share the data, MLflow's database, and the time of a search without a fault."""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.conftest import folder, postgres
from tests.faults.in_process.searches import FaultySearch

__all__ = ["folder", "postgres"]  # the fixtures of the cluster tests

ROOT = Path(__file__).parents[3]
MakeSearch = Callable[..., FaultySearch]


@pytest.fixture(scope="session", autouse=True)
def processes_find_the_tests() -> Iterator[None]:
    """Let the processes of this session import the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(ROOT)])
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the data, encoded once, and MLflow's database, made once."""
    folder = tmp_path_factory.mktemp("searches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIXFRONT_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="session")
def faultless_s(shared: Path) -> float:
    """Seconds that a search takes without a fault."""
    FaultySearch(shared, "warm-up").run_to_end()  # encodes the data and makes MLflow's tables
    search = FaultySearch(shared, "faultless")
    started = time.monotonic()
    search.run_to_end()
    seconds = time.monotonic() - started
    assert search.faults() == []
    assert search.drivers == 1
    return seconds


@pytest.fixture(scope="session")
def make_shared_search(shared: Path, faultless_s: float) -> MakeSearch:
    """Makes a search of a given name; its keyword arguments are those of FaultySearch."""
    assert faultless_s > 0

    def make(name: str, **arguments: Any) -> FaultySearch:
        return FaultySearch(shared, name, **arguments)

    return make


@pytest.fixture
def make_search(make_shared_search: MakeSearch, request: pytest.FixtureRequest) -> MakeSearch:
    """Makes the search of one run of a row; its keyword arguments are those of FaultySearch."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.removeprefix("test_"))
    return partial(make_shared_search, name.strip("-"))
