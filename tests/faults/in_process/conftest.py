"""The rows share the data, MLflow's database, and the time of a search without a fault."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster.conftest import folder, postgres
from tests.faults.in_process.searches import FaultySearch

__all__ = ["folder", "postgres"]  # the fixtures of the cluster tests

MakeSearch = Callable[..., FaultySearch]


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


@pytest.fixture
def make_search(shared: Path, faultless_s: float, request: pytest.FixtureRequest) -> MakeSearch:
    """Makes the search of one run of a row; its keyword arguments are those of FaultySearch."""
    assert faultless_s > 0
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.removeprefix("test_"))

    def make(**arguments: object) -> FaultySearch:
        return FaultySearch(shared, name.strip("-"), **arguments)  # type: ignore[arg-type]

    return make
