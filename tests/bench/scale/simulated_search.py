"""One search in simulated time: study, records, scheduler, lease and MLflow are the real ones."""

import hashlib
import io
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from tests.bench.scale.simulated_lanes import DriverClock, SimulatedLanes, Workload

from mixfront.pareto.front import front_of
from mixfront.pool.leases import LaneUse
from mixfront.pool.status import LaneStatus
from mixfront.records import RecordStore
from mixfront.records.retries import StorageRetries
from mixfront.search.callbacks import TrackingCallbacks
from mixfront.search.driver.hold import hold_lease
from mixfront.search.limits.budget import Budget
from mixfront.search.limits.lane_supply import LaneSupply
from mixfront.search.monitoring.progress import ProgressDisplay
from mixfront.search.prepare import prepare_search
from mixfront.search.proposals import Proposals
from mixfront.search.reconcile import reconcile
from mixfront.search.request import RequestMaker
from mixfront.search.scheduler import SearchScheduler
from mixfront.search.searcher import LaneSearcher
from mixfront.search.study import elapsed_seconds
from mixfront.spec.search_spec import SearchSpec, load_spec

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
    backlog: int  # updates that MLflow did not have after the last trial
    drain_s: float  # real, until MLflow had the backlog, 60 at most
    front: int  # points
    memory_gib: float  # resident, at the end


class SimulatedSearch:
    """A search of the packaged demo space; `drive` runs one driver of it.

    Args:
        folder: Where its data, databases and records are.
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
            words = ["data", "synth", str(data), "--rows", "4000", "--seed", "1"]
            subprocess.run([sys.executable, "-m", "mixfront.cli", *words], check=True)
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
        )
        self._spec = load_spec("demo", [*settings, *overrides])
        self._console = Console(file=io.StringIO())
        self._store, self._search = prepare_search(self._spec, self._console)

    def drive(self, num_lanes: int, *, trials: int | None = None) -> Measurement:
        """Run a driver until the search ends.

        Args:
            num_lanes: Number of simulated lanes.
            trials: The budget from now on, if it is not the spec's.
        """
        limits = self._spec.search.model_copy(
            update={"trials": trials or self._spec.search.trials}
        )
        spec = self._spec.model_copy(update={"search": limits})
        started = time.perf_counter()
        with hold_lease(self._store, self._search, self._console) as store:
            return self._drive(spec, store, num_lanes, started)

    def _drive(
        self, spec: SearchSpec, store: RecordStore, num_lanes: int, started: float
    ) -> Measurement:
        storage = StorageRetries(self._search.name, fence=store.fence)
        store, clock = store.with_retries(storage).in_memory(), DriverClock(self._seconds)
        proposals = Proposals.open(spec, self._search, store.fence)
        unfinished = reconcile(store, proposals).unfinished
        earlier = store.trials()
        budget = Budget(spec.search, clock=clock).resume(earlier, elapsed_seconds(proposals.study))
        progress = ProgressDisplay(self._search, earlier, budget, self._console)
        with TrackingCallbacks(self._search, store, proposals.space, progress) as callbacks:
            searcher = LaneSearcher(
                proposals,
                store,
                budget,
                make_request=RequestMaker(spec, self._search, store),
                pool="simulated",
                lanes=LaneSupply(lambda: _ready_lanes(num_lanes), budget, self._search.name),
                callbacks=callbacks,
                retry=storage,
                unfinished=unfinished,
            )
            scheduler = SearchScheduler(
                spec.stopping, proposals, budget, searcher.costs_of, storage
            )
            ready, cpu_s = time.perf_counter(), time.process_time()
            lanes = SimulatedLanes(searcher, scheduler, num_lanes, WORKLOAD, clock)
            lanes.run()
            end, backlog, drained = clock(), callbacks.backlog(), time.perf_counter()
            cpu_s = time.process_time() - cpu_s
        trials = store.trials()
        ran = len(trials) - len(earlier)
        return Measurement(
            num_lanes=num_lanes,
            trials=ran,
            busy=lanes.time.busy,
            overall=ran * WORKLOAD.trial_s / (num_lanes * end),
            resume_s=ready - started,
            driver_s=clock.by_call,
            cpu_s=cpu_s,
            backlog=backlog,
            drain_s=time.perf_counter() - drained,
            front=len(
                front_of(trials, self._search.objectives, self._search.reference_point).members
            ),
            memory_gib=psutil.Process().memory_info().rss / GIB,
        )


def _ready_lanes(num_lanes: int) -> list[LaneStatus]:
    """All lanes, ready to train."""
    return [
        LaneStatus(
            lane=number,
            use=LaneUse.FREE,
            warm=True,
            trial_id=None,
            generation=1,
            deaths=0,
            last_error=None,
            usable=True,
        )
        for number in range(num_lanes)
    ]


def made_up_auc(trial_id: str, fidelity: float) -> dict[str, float]:
    """Metrics that differ by trial and grow with fidelity; the same in every run."""
    digest = hashlib.sha256(trial_id.encode()).digest()
    quality = int.from_bytes(digest[:4], "big") / 2**32
    auc = 0.6 + 0.1 * fidelity + 0.1 * quality
    return {"auc": auc, "uauc": auc - 0.02, "logloss": 1.0 - auc}


WORKLOAD = Workload(trial_s=60.0, evaluations=4, measure=made_up_auc)
