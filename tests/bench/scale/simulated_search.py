"""One search in simulated time: study, records, scheduler, lease and MLflow are the real ones."""

import hashlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from tests.bench.scale.simulated_lanes import Workload
from tests.bench.scale.simulated_pool import SimulatedPool, instead_of_ray

from mixfront.cli.drive import drive
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.records import RecordStore
from mixfront.records.credentials import with_credentials
from mixfront.search.prepare import prepare_search
from mixfront.search.run import SearchResult
from mixfront.spec.search_spec import load_spec

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one driver did."""

    num_lanes: int
    trials: int  # that this driver ran
    busy: float  # share of the lanes' time that trained, while trials were left to start
    overall: float  # the same from the driver's first second to its last, so with start and end
    resume_s: float  # real, until the driver was ready to propose
    driver_s: dict[str, float]  # seconds by call, on the driver's clock
    cpu_s: float  # of the process, so with MLflow's thread, until the last trial ended
    drain_s: float  # real, until MLflow had everything after the last trial, 60 at most
    front: int  # points
    memory_gib: float  # resident, at the end


class SimulatedSearch:
    """A search of the packaged demo space.

    Args:
        folder: Where its data, databases and records are; searches may share it.
        trials: Its budget.
        overrides: More of the spec, as for `mixfront search run -o`.
        seconds: The driver's clock while it works; see `DriverClock`.
    """

    def __init__(
        self,
        folder: Path,
        trials: int,
        overrides: tuple[str, ...] = (),
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._seconds = seconds
        data = folder / "data"
        if not data.exists():
            write_synthetic(data, 4000, seed=1)
        settings = (
            f"name=scale-{time.time_ns()}",
            f"data.path={data}",
            f"data.schema={data / 'schema.yaml'}",
            f"storage={folder / 'searches'}",
            f"optuna_storage=sqlite:///{folder}/study.db",
            f"tracking.uri=sqlite:///{folder}/mlflow.db",
            "search.enqueue=[]",
            "search.sampler=random",
            f"search.trials={trials}",
            "training.precision=fp32",  # "auto" asks the lanes' devices
        )
        self.spec = load_spec("demo", [*settings, *overrides])
        self.store, _ = prepare_search(self.spec, _console())

    def measure(self, num_lanes: int, extensions: tuple[str, ...] = ()) -> Measurement:
        """Run a driver until the search ends, and measure it.

        Args:
            num_lanes: Number of simulated lanes.
            extensions: Overrides of the budget, if the search has finished.
        """
        earlier, started = len(self.store.trials()), time.perf_counter()
        pool = SimulatedPool(num_lanes, WORKLOAD, seconds=self._seconds)
        result = run_driver(self.store, pool, extensions)
        assert pool.lanes is not None, f"no trial was started: {result.search.ended_because}"
        ran = len(result.trials) - earlier
        return Measurement(
            num_lanes=num_lanes,
            trials=ran,
            busy=pool.lanes.time.busy,
            overall=ran * WORKLOAD.trial_s / (num_lanes * pool.simulated_s),
            resume_s=pool.lanes.began - started,
            driver_s=pool.clock.by_call,
            cpu_s=pool.cpu_s,
            drain_s=time.perf_counter() - pool.lanes.ended,
            front=len(result.front.members),
            memory_gib=psutil.Process().memory_info().rss / GIB,
        )


def run_driver(
    store: RecordStore, pool: SimulatedPool, extensions: tuple[str, ...] = ()
) -> SearchResult:
    """Run or resume a search until it ends, as `mixfront search resume` does."""
    record = store.search()
    with instead_of_ray(pool):
        return drive(store, with_credentials(record), _console(), extensions)


def _console() -> Console:
    return Console(file=io.StringIO())


def made_up_auc(trial_id: str, fidelity: float) -> dict[str, float]:
    """Metrics that differ by trial and grow with fidelity; the same in every run."""
    digest = hashlib.sha256(trial_id.encode()).digest()
    quality = int.from_bytes(digest[:4], "big") / 2**32
    auc = 0.6 + 0.1 * fidelity + 0.1 * quality
    return {"auc": auc, "uauc": auc - 0.02, "logloss": 1.0 - auc}


WORKLOAD = Workload(trial_s=60.0, evaluations=4, measure=made_up_auc)
