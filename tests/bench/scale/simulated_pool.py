"""Stands in for Ray under a driver: its connection, its lanes, Tune's loop and the clock."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from unittest import mock

from tests.bench.scale.simulated_lanes import DriverClock, SimulatedLanes, Workload

from mixfront.cluster import connection
from mixfront.lanes.config import TrialConfig
from mixfront.pool.leases import LaneUse
from mixfront.pool.pool import LanePool
from mixfront.pool.status import LaneStatus
from mixfront.search import run
from mixfront.search.limits.budget import Budget
from mixfront.search.scheduler import SearchScheduler
from mixfront.search.searcher import LaneSearcher


class SimulatedPool:
    """The lane pool of one driver.

    Args:
        num_lanes: Number of lanes, all ready to train.
        workload: What a trial does.
        on_train: Called with the trial's id when a lane begins to train it.
        seconds: The driver's clock while it works; see `DriverClock`.
    """

    name = "simulated"

    def __init__(
        self,
        num_lanes: int,
        workload: Workload,
        on_train: Callable[[str], None] = lambda _: None,
        *,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.num_lanes = num_lanes
        self.clock = DriverClock(seconds)
        self.cpu_s = 0.0  # of the process, while the lanes ran
        self.simulated_s = 0.0  # the same time on the driver's clock
        self.lanes: SimulatedLanes | None = None  # once Tune has started
        self._workload, self._on_train = workload, on_train
        self._aborted: str | None = None

    def status(self) -> list[LaneStatus]:
        """All lanes."""
        return [_ready(number) for number in range(self.num_lanes)]

    def release(self, trial_id: str) -> None:
        """Do nothing: the lanes release themselves."""

    def abort_all(self, reason: str) -> None:
        """End every trial at its next evaluation."""
        self._aborted = reason

    def close(self) -> None:
        """Do nothing: no process runs."""

    def run_tune(self, searcher: LaneSearcher, scheduler: SearchScheduler, _scratch: str) -> None:
        """Run trials in simulated time until the searcher has finished."""
        self.lanes = SimulatedLanes(
            searcher,
            scheduler,
            self.num_lanes,
            self._workload,
            self.clock,
            on_train=self._on_train,
            aborted=lambda: self._aborted,
        )
        cpu_s, began = time.process_time(), self.clock()
        self.lanes.run()
        self.cpu_s, self.simulated_s = time.process_time() - cpu_s, self.clock() - began


@contextmanager
def instead_of_ray(pool: SimulatedPool) -> Iterator[None]:
    """Let the drivers of this block run on simulated lanes; everything else is real."""
    cluster = connection.Cluster(address="simulated", local=True, num_lanes=pool.num_lanes)

    def connect(_trial: TrialConfig) -> AbstractContextManager[connection.Cluster]:
        return nullcontext(cluster)

    with (
        mock.patch.object(connection, "connect", connect),
        mock.patch.object(LanePool, "start", return_value=pool),
        mock.patch.object(run, "run_tune", pool.run_tune),
        mock.patch.object(run, "Budget", partial(Budget, clock=pool.clock)),
    ):
        yield


def _ready(number: int) -> LaneStatus:
    return LaneStatus(
        lane=number,
        use=LaneUse.FREE,
        warm=True,
        trial_id=None,
        generation=1,
        deaths=0,
        last_error=None,
        usable=True,
    )
