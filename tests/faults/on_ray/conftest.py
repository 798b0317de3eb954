"""One cluster and one MLflow database for all rows, and what a search without faults takes."""

import itertools
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.cluster.services.ray_cluster import RayCluster
from tests.faults.injections import PER_ROW, Faults
from tests.faults.on_ray.toy_search import ToySearch

from mixfront.data.synthetic.writer import write_synthetic

CPUS = 2  # logical, per node: one lane of two workers

MakeSearch = Callable[..., ToySearch]


@pytest.fixture(scope="session")
def cluster() -> Iterator[RayCluster]:
    """Three nodes."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        cluster = RayCluster(folder, cpus=CPUS)
        stack.callback(cluster.stop)
        cluster.create()
        yield cluster


@pytest.fixture(scope="session")
def make_search(
    cluster: RayCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeSearch]:
    """Starts a search with faults; the data and MLflow's database are shared."""
    shared = tmp_path_factory.mktemp("shared")
    write_synthetic(shared / "data", 2000, 1)
    numbers = itertools.count()

    def make(faults: Faults, *overrides: str) -> ToySearch:
        overrides = (*overrides, f"tracking.experiment=faults-{next(numbers)}")
        cluster.repair()  # a failed row may have left it without a node
        return ToySearch(
            tmp_path_factory.mktemp("search"),
            shared / "data",
            f"sqlite:///{shared}/mlflow.db",
            cluster,
            faults,
            overrides,
        )

    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.environment.items():
            patch.setenv(name, value)
        yield make


@pytest.fixture(scope="session")
def undisturbed_s(make_search: MakeSearch) -> float | None:
    """Wall time of a search without faults, on a warm cluster; None if costs are not measured."""
    if PER_ROW == 1:
        return None
    for _ in range(2):  # the first one starts Ray's idle processes, and fills the file cache
        search = make_search(Faults("none", 0, random.Random(0)))
        search.run(lambda _: None)
    return search.seconds
