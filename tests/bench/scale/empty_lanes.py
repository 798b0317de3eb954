"""What Ray Tune and its actors take per trial and per lane: real Tune, trials that do nothing.

python -m tests.bench.scale.empty_lanes [TRIALS [LANES ...]]
"""

import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import ray
from rich.console import Console
from rich.table import Table
from tests.bench.scale.empty_trial import EmptyTrial
from tests.bench.scale.simulated_lanes import DriverClock
from tests.bench.scale.simulated_pool import SimulatedPool
from tests.bench.scale.simulated_search import WORKLOAD, SimulatedSearch

from mixfront.pool.report import TrialReport
from mixfront.records import TrialRecord
from mixfront.records.credentials import with_credentials
from mixfront.search.limits.budget import Budget
from mixfront.search.limits.lane_supply import LaneSupply
from mixfront.search.proposals import Proposals
from mixfront.search.request import RequestMaker
from mixfront.search.scheduler import SearchScheduler
from mixfront.search.searcher import LaneSearcher
from mixfront.search.tune_loop import run_tune

TRIALS, LANES = 100, (8,)
MIB = 2**20


class NoCallbacks:
    """TrialCallbacks without MLflow and progress, which are measured elsewhere."""

    def on_start(self, record: TrialRecord) -> None:
        """Do nothing."""

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        """Do nothing."""

    def on_end(self, record: TrialRecord) -> None:
        """Do nothing."""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What Tune took."""

    trials: int
    per_s: float  # trials per second, from the moment when every actor has reported
    cpu_s: float  # of the driver's thread
    ours_s: float  # of that, in our searcher
    actors: int
    actor_mib: float  # PSS of one


class TimedSearcher(LaneSearcher):
    """Our searcher, with the CPU time that it takes and the moments when trials end."""

    clock: DriverClock
    ended: list[float]

    def suggest(self, trial_id: str) -> Any:
        """Propose."""
        return self.clock.timed("ours", super().suggest, trial_id)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Handle a trial's end."""
        self.clock.timed("ours", super().on_trial_complete, trial_id, result, error)
        self.ended.append(time.perf_counter())


def measure(folder: Path, trials: int, num_lanes: int) -> Measurement:
    """Run one search under Tune."""
    simulated = SimulatedSearch(folder, trials)
    spec, store = simulated.spec, simulated.store
    search = with_credentials(store.search())
    proposals, budget = Proposals.open(spec, search), Budget(spec.search)
    searcher = TimedSearcher(
        proposals,
        store,
        budget,
        make_request=RequestMaker(spec, search, store),
        pool="none",
        lanes=LaneSupply(SimulatedPool(num_lanes, WORKLOAD).status, budget, search.name),
        callbacks=NoCallbacks(),
    )
    searcher.clock, searcher.ended = DriverClock(time.thread_time), []
    scheduler = SearchScheduler(spec.stopping, proposals, budget, searcher.costs_of)
    memory = ActorMemory()
    started = time.thread_time()
    with memory:
        run_tune(searcher, scheduler, f"{folder}/tune", EmptyTrial)
    ended = searcher.ended[num_lanes:]
    return Measurement(
        trials=len(searcher.ended),
        per_s=(len(ended) - 1) / (ended[-1] - ended[0]),
        cpu_s=time.thread_time() - started,
        ours_s=searcher.clock.by_call["ours"],
        actors=memory.actors,
        actor_mib=memory.mib,
    )


class ActorMemory:
    """Looks at the trials' actors every second; keeps the numbers when there were most."""

    def __init__(self) -> None:
        self.actors, self.mib = 0, 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "ActorMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(1.0):
            sizes = [size for child in _children() if (size := _trial_mib(child))]
            if len(sizes) >= self.actors:
                self.actors, self.mib = len(sizes), sum(sizes) / max(1, len(sizes))


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _trial_mib(process: psutil.Process) -> float:
    try:
        is_trial = any("EmptyTrial" in word for word in process.cmdline())
        return process.memory_full_info().pss / MIB if is_trial else 0.0
    except psutil.Error:  # it has ended meanwhile
        return 0.0


def main(trials: int = TRIALS, lanes: tuple[int, ...] = LANES) -> None:
    """Run one search per number of lanes."""
    table = Table("lanes", "trials per s", "CPU ms per trial", "of it Tune", "actors", "MiB each")
    for num_lanes in lanes:
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        try:
            with tempfile.TemporaryDirectory() as folder:
                run = measure(Path(folder), trials, num_lanes)
        finally:
            ray.shutdown()
        total, tunes = run.cpu_s, run.cpu_s - run.ours_s
        table.add_row(
            str(num_lanes),
            f"{run.per_s:.1f}",
            *(f"{1000 * seconds / run.trials:.1f}" for seconds in (total, tunes)),
            str(run.actors),
            f"{run.actor_mib:.0f}",
        )
        print(run, flush=True)
    Console(width=120).print(table)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    main(numbers[0] if numbers else TRIALS, tuple(numbers[1:]) or LANES)
