"""Lanes in simulated time: a trial's training takes no real time, the driver's work does.

Replaces Tune's loop and Ray's actors. The driver is one thread, as under Tune: while it handles
one lane's report, the others wait. So a lane idles from its report until the driver's decision.
"""

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ray._private.dict import flatten_dict
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from mixfront.pool.leases import Leases
from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.search.scheduler import SearchScheduler
from mixfront.search.searcher import LaneSearcher

Measure = Callable[[str, float], dict[str, float]]  # trial id, fidelity -> metrics
STEPS = 100  # optimizer steps per evaluation


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What every trial does on its lane."""

    trial_s: float  # simulated seconds of a whole trial
    evaluations: int  # per trial
    measure: Measure


class DriverClock:
    """Simulated seconds: the driver's own while it works, jumps while it waits for lanes.

    Args:
        seconds: Real seconds, or `time.thread_time`, the thread's CPU time, if other programs
            share the processor; that leaves out waits for files and for Python's lock.
    """

    def __init__(self, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._skipped_s = 0.0
        self._seconds = seconds
        self._started = seconds()
        self.by_call: dict[str, float] = {}  # seconds of the driver's work

    def __call__(self) -> float:
        return self._seconds() - self._started + self._skipped_s

    def skip_to(self, moment: float) -> None:
        """Jump forward to a moment; a moment that has passed changes nothing."""
        self._skipped_s += max(0.0, moment - self())

    def timed(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call, and add the real seconds that it took to `by_call`."""
        started = self._seconds()
        try:
            return call(*arguments)
        finally:
            self.by_call[name] = self.by_call.get(name, 0.0) + self._seconds() - started


@dataclass
class _Trial:
    tune_id: str
    trial_id: str
    config: dict[str, Any]
    resumed: int = 0  # evaluations before the checkpoint that it continues from
    evaluations: int = 0  # of all drivers
    reports: int = 0
    due: float = 0.0  # the moment of the next report


class LaneTime:
    """Share of the lanes' time that trained, from the last lane's first start to the last trial's.

    Args:
        num_lanes: Number of lanes.
        clock: Simulated seconds.
    """

    def __init__(self, num_lanes: int, clock: Callable[[], float]) -> None:
        self._num_lanes, self._clock = num_lanes, clock
        self._unused = num_lanes  # lanes that have not trained yet
        self._free_since: deque[float] = deque()
        self._from = self._until = 0.0
        self._idle_s = self._idle_until_s = 0.0

    def free(self, moment: float) -> None:
        """A lane's trial has ended at a moment that may be in the past."""
        self._free_since.append(moment)

    def start(self) -> None:
        """A free lane starts a trial."""
        self._until = now = self._clock()
        if self._unused:
            self._unused -= 1
            self._from = now
        else:
            self.wait(self._free_since.popleft())
        free = sum(now - max(since, self._from) for since in self._free_since)
        self._idle_until_s = self._idle_s + free

    def wait(self, since: float) -> None:
        """A lane has waited for the driver since a moment."""
        if not self._unused:
            self._idle_s += self._clock() - max(since, self._from)

    @property
    def busy(self) -> float:
        """The share, between 0 and 1; NaN if some lane never trained."""
        if self._unused or self._until <= self._from:
            return float("nan")
        return 1.0 - self._idle_until_s / (self._num_lanes * (self._until - self._from))


class SimulatedLanes:
    """Calls searcher and scheduler in Tune's order, and keeps the lanes' leases.

    Args:
        searcher: Proposes the trials.
        scheduler: Stops them.
        num_lanes: Number of lanes.
        workload: What a trial does.
        clock: Simulated seconds.
        on_train: Called with the trial's id when a lane begins to train it.
        aborted: Returns why every trial ends at its next evaluation, or None.
    """

    def __init__(
        self,
        searcher: LaneSearcher,
        scheduler: SearchScheduler,
        num_lanes: int,
        workload: Workload,
        clock: DriverClock,
        *,
        on_train: Callable[[str], None] = lambda _: None,
        aborted: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._searcher, self._scheduler = searcher, scheduler
        self._workload, self._clock = workload, clock
        self._on_train, self._aborted = on_train, aborted
        self._leases = Leases(num_lanes, lease_s=float("inf"), clock=clock)
        self._reports: list[tuple[float, int, _Trial]] = []  # by the moment of the report
        self._order = itertools.count()
        self.time = LaneTime(num_lanes, clock)
        self.began = self.ended = time.perf_counter()

    def run(self) -> None:
        """Run until the searcher has finished and the last trial has ended."""
        self.began, finished = time.perf_counter(), False
        while not finished or self._reports:
            finished = finished or self._fill_lanes()
            if self._reports:
                moment, _, trial = heapq.heappop(self._reports)
                self._clock.skip_to(moment)
                self._handle(trial)
        self.ended = time.perf_counter()

    def _fill_lanes(self) -> bool:
        """Start trials until every lane is taken; True if the searcher has finished."""
        while True:
            tune_id = f"tune_{next(self._order)}"
            config = self._clock.timed("suggest", self._searcher.suggest, tune_id)
            if config is None or config == Searcher.FINISHED:
                return config is not None
            trial = _started(tune_id, config)
            assert self._leases.take(trial.trial_id) is not None, "more trials than lanes"
            self.time.start()
            self._on_train(trial.trial_id)
            self._train(trial)

    def _train(self, trial: _Trial) -> None:
        """Train to the next evaluation, whose report comes after some simulated seconds."""
        trial.due = self._clock() + self._workload.trial_s / self._workload.evaluations
        heapq.heappush(self._reports, (trial.due, next(self._order), trial))

    def _handle(self, trial: _Trial) -> None:
        result = self._report(trial).to_tune() | {"trial_id": trial.tune_id}
        flat, is_last = flatten_dict(result), bool(result["done"])
        if not is_last:
            tune_trial = SimpleNamespace(config=trial.config)
            decision = self._clock.timed(
                "scheduler", self._scheduler.on_trial_result, None, tune_trial, flat
            )
            is_last = decision == TrialScheduler.STOP
        if is_last:
            flat["done"] = True
            self._clock.timed("complete", self._searcher.on_trial_complete, trial.tune_id, flat)
            self._free_lane(trial)
        else:
            self._clock.timed("result", self._searcher.on_trial_result, trial.tune_id, flat)
            self.time.wait(trial.due)
            self._train(trial)

    def _report(self, trial: _Trial) -> TrialReport:
        trial.reports += 1
        if (reason := self._aborted()) is not None:
            return self._report_of(trial, TrialStatus.INTERRUPTED, error=reason)
        trial.evaluations += 1
        fidelity = trial.evaluations / self._workload.evaluations
        return self._report_of(
            trial,
            TrialStatus.COMPLETE if fidelity >= 1 else TrialStatus.RUNNING,
            metrics=self._workload.measure(trial.trial_id, fidelity),
            seconds={"train": self._workload.trial_s / self._workload.evaluations},
        )

    def _report_of(self, trial: _Trial, status: TrialStatus, **fields: Any) -> TrialReport:
        evaluation_s = self._workload.trial_s / self._workload.evaluations
        step, folder = STEPS * trial.evaluations, trial.config["request"]["folder"]
        return TrialReport(
            trial_id=trial.trial_id,
            status=status,
            number=trial.reports,
            step=step,
            fidelity=trial.evaluations / self._workload.evaluations,
            checkpoint=f"{folder}/step-{step}" if step else None,
            accelerator_seconds=evaluation_s * (trial.evaluations - trial.resumed),
            **fields,
        )

    def _free_lane(self, trial: _Trial) -> None:
        lease = self._leases.find(trial.trial_id)
        assert lease is not None
        self._leases.drop(lease)
        self._leases.mark_clean(lease.lane)
        self.time.free(trial.due)


def _started(tune_id: str, config: dict[str, Any]) -> _Trial:
    """A trial on its lane, which continues from the checkpoint of an earlier driver, if any."""
    request = config["request"]
    checkpoint = request["resume_from"]
    resumed = 0 if checkpoint is None else int(checkpoint.rpartition("-")[2]) // STEPS
    return _Trial(tune_id, request["trial_id"], config, resumed, evaluations=resumed)
