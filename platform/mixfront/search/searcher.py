"""The Tune searcher: proposes configurations to free lanes and keeps every trial's record."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ray.tune.search import Searcher

from mixfront.exceptions import StorageError
from mixfront.pool.report import TrialReport
from mixfront.records.retries import Retry, once
from mixfront.records.store import RecordStore, TrialRecord, TrialState
from mixfront.search.limits.budget import Budget
from mixfront.search.proposals import Proposals
from mixfront.search.trial_queue import MAX_RETURNS, TrialQueue
from mixfront.search.trial_state import apply_report, end_trial
from mixfront.training.request import TrialRequest

MAX_SAMPLING_S = 2.0  # limit per call while trials run, since Tune handles no results meanwhile


class TrialCallbacks(Protocol):
    """Called on every event of a trial; records and study already have its start or end."""

    def on_start(self, record: TrialRecord) -> None:
        """A trial was assigned to a lane; may set `record.run_id`, which is then saved."""

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        """A trial reached an evaluation, possibly its last. The record is not saved yet: after a
        crash, the same evaluation may be reported again."""

    def on_end(self, record: TrialRecord) -> None:
        """A trial ended or was interrupted; infeasible trials end without a start."""


class Lanes(Protocol):
    """The lanes on which trials run; see LaneSupply."""

    def capacity(self) -> int:
        """Number of trials that can run now."""

    def wait(self, ended: Callable[[], str | None]) -> str | None:
        """Wait for a lane; returns why the search ends, or None once there is one."""


@dataclass
class _RunningTrial:
    """A trial that Tune is running."""

    record: TrialRecord
    before: TrialRecord  # the record when Tune started the trial
    last_report: int = 0  # number of the last report applied
    ended: bool = False
    requeued: bool = False  # it lost its lane and is queued again


class LaneSearcher(Searcher):
    """Proposes a configuration only when a lane is free.

    `suggest` returns None only while a trial runs, since Tune would block otherwise, and always
    FINISHED once `ended_because` is set. If no trial runs and no lane is ready, it blocks until
    one is. A trial that loses its lane while the search continues is queued again, under its own
    number and with its checkpoint; nothing is sampled in its place. Tune gets no metric, because
    it ends the whole search when one trial lacks it. A trial's state is saved before any callback
    sees it.

    No method that Tune calls raises because of the storage, which would end the search with a
    traceback: the searcher finishes instead, and `interrupt` tries once more to save what is left.

    Args:
        proposals: The study.
        store: Where records are saved.
        budget: Charged for every trial; checked before every proposal.
        make_request: Makes the request for a lane from a record.
        pool: Name of the lane pool's actor.
        lanes: The lanes.
        callbacks: Tracking and progress.
        retry: Repeats what fails in the study's storage; the store has its own retries.
        data_change: After a failed trial, says what has changed in the data set, if anything.
        unfinished: Trials of an interrupted search, resumed before anything is sampled.
        max_infeasible_in_a_row: End the search after this many infeasible proposals in a row.
        max_failed_in_a_row: End the search after this many failed trials in a row.
    """

    def __init__(
        self,
        proposals: Proposals,
        store: RecordStore,
        budget: Budget,
        *,
        make_request: Callable[[TrialRecord], TrialRequest],
        pool: str,
        lanes: Lanes,
        callbacks: TrialCallbacks,
        retry: Retry = once,
        data_change: Callable[[], str | None] = lambda: None,
        unfinished: Iterable[TrialRecord] = (),
        max_infeasible_in_a_row: int = 200,
        max_failed_in_a_row: int = 10,
    ) -> None:
        super().__init__()
        self.ended_because: str | None = None
        self._proposals = proposals
        self._store = store
        self._budget = budget
        self._make_request = make_request
        self._pool = pool
        self._lanes = lanes
        self._callbacks = callbacks
        self._retry = retry
        self._data_change = data_change
        self._queue = TrialQueue(unfinished)
        self._running: dict[str, _RunningTrial] = {}  # by Tune's trial id
        self._max_infeasible_in_a_row = max_infeasible_in_a_row
        self._infeasible_in_a_row = 0
        self._max_failed_in_a_row = max_failed_in_a_row
        self._failed_in_a_row = 0

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles a copy into its folder, but nothing ever reads it."""
        return {}

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Do nothing: the state is in the study and the records."""

    def finish(self, reason: str) -> None:
        """Propose no more trials; running ones continue. The first reason is kept."""
        self.ended_because = self.ended_because or reason

    @property
    def needs_lane(self) -> bool:
        """Whether a trial is left to start, and a budget to start it with."""
        if self._budget.stops_running_trials() is not None:
            return False
        return bool(self._queue) or self._budget.stops_new_trials() is None

    def costs_of(self, trial_id: str) -> dict[str, float]:
        """Costs of a running trial, by our trial id; empty if it is not running."""
        records = (running.record for running in self._running.values())
        return next((record.costs for record in records if record.trial_id == trial_id), {})

    def suggest(self, trial_id: str) -> Any:  # Ray's type, dict | None, lacks FINISHED
        """The next trial's config for Tune, None while every lane is taken, or FINISHED."""
        try:
            return self._next(trial_id)
        except StorageError as error:
            self.finish(str(error))
            return self.FINISHED

    def _next(self, trial_id: str) -> Any:
        if (lost := self._store.fence.closed_because()) is not None:
            self.finish(lost)
        elif (reason := self._budget.stops_running_trials()) is not None:
            self._prune_unresumed(reason)
            self.finish(reason)
        if self.ended_because is not None:
            return self.FINISHED
        if self._running:
            if len(self._running) >= self._lanes.capacity():
                return None
        elif self.needs_lane and (reason := self._lanes.wait(self._why_ended)) is not None:
            self.finish(reason)
            return self.FINISHED
        record = self._queue.take() if self._queue else self._propose()
        if record is not None:
            return self._start(trial_id, record)
        return None if self.ended_because is None else self.FINISHED

    def _why_ended(self) -> str | None:
        """Why to stop waiting for a lane, or None; `finish` is called from another thread."""
        lost = self._store.fence.closed_because()
        return lost or self.ended_because or self._budget.stops_running_trials()

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Handle an evaluation; Tune passes the last one to `on_trial_complete` instead."""
        running, report = self._running.get(trial_id), TrialReport.from_tune(result)
        if running is None or report is None:
            return
        try:
            if self._apply(running, report):
                self._save_progress(running.record)
        except StorageError as error:
            self.finish(str(error))

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Handle the end of a trial, for whatever reason.

        If this raises, Tune calls it again with `error`, and if storage fails, `interrupt` does.
        The trial has ended by then, so the second call only repeats the steps that failed.
        """
        running = self._running.get(trial_id)
        if running is None:
            return
        if not running.ended:
            self._end(running, TrialReport.from_tune(result), died=error)
        try:
            self._finish_trial(trial_id, running)
        except StorageError as failure:
            self.finish(str(failure))

    def _finish_trial(self, trial_id: str, running: _RunningTrial) -> None:
        record = running.record
        self._save_progress(record)
        if record.state.is_finished:
            self._tell(record)
        self._callbacks.on_end(record)
        del self._running[trial_id]
        if running.requeued:
            self._queue.put_back(record)
        self._count_failures(record)

    def interrupt(self, reason: str) -> None:
        """Mark running trials as INTERRUPTED, as Tune may end without reporting them."""
        self.finish(reason)
        for trial_id in list(self._running):
            self.on_trial_complete(trial_id)

    def _count_failures(self, record: TrialRecord) -> None:
        """End the search after many failures in a row, as from a broken setup."""
        failed = record.state is TrialState.FAILED
        self._failed_in_a_row = self._failed_in_a_row + 1 if failed else 0
        if self._failed_in_a_row >= self._max_failed_in_a_row:
            self.finish(
                f"{self._failed_in_a_row} trials in a row failed (last error: {record.error}); "
                "fix the cause, then start a new search"
            )

    def _propose(self) -> TrialRecord | None:
        """The next feasible configuration; None if the search ends or sampling takes too long."""
        start = time.monotonic()
        if self._running and self._budget.stops_new_trials() is not None:
            return None  # not FINISHED, which is final: a running trial may lose its lane
        while (reason := self._budget.stops_new_trials()) is None:
            record = self._retry(self._proposals.ask)
            if record.state is not TrialState.INFEASIBLE:
                self._infeasible_in_a_row = 0
                return record
            self._refuse(record)
            if self._infeasible_in_a_row >= self._max_infeasible_in_a_row:
                reason = self._infeasible_reason(record)
                break
            if self._running and time.monotonic() - start > MAX_SAMPLING_S:
                return None
        self.finish(reason)
        return None

    def _refuse(self, record: TrialRecord) -> None:
        self._infeasible_in_a_row += 1
        self._store.save_trial(record)
        self._tell(record)
        self._callbacks.on_end(record)

    def _infeasible_reason(self, record: TrialRecord) -> str:
        return (
            f"{self._infeasible_in_a_row} configurations in a row were infeasible "
            f"(last reason: {record.error}); loosen the constraints or narrow the space"
        )

    def _prune_unresumed(self, reason: str) -> None:
        """Prune the trials that were to be resumed, because a budget is spent."""
        while self._queue:
            record = self._queue.take()
            record.state, record.error, record.ended = TrialState.PRUNED, reason, time.time()
            self._store.save_trial(record)
            self._tell(record)
            self._callbacks.on_end(record)

    def _start(self, tune_id: str, record: TrialRecord) -> dict[str, Any]:
        record.state, record.error, record.ended = TrialState.RUNNING, None, None
        record.started = record.started or time.time()
        # First, so that a trial that cannot be saved is interrupted like any other.
        self._running[tune_id] = _RunningTrial(record, before=record.model_copy(deep=True))
        self._store.save_trial(record)
        self._callbacks.on_start(record)
        self._store.save_trial(record)  # with the run id from tracking
        self._budget.charge(record.trial_id, record.accelerator_seconds)
        request = self._make_request(record)
        return {"pool": self._pool, "request": request.model_dump(mode="json")}

    def _apply(self, running: _RunningTrial, report: TrialReport) -> bool:
        """Update the record, without saving it; False if the report was applied before."""
        if report.number <= running.last_report:
            return False
        running.last_report = report.number
        record = running.record
        apply_report(record, report, running.before, self._proposals.objectives)
        self._budget.charge(record.trial_id, record.accelerator_seconds)
        if report.is_evaluation:
            # Before the record is saved: if the driver is killed in between, the trial repeats
            # this step and reports the same. In the other order MLflow would never get it.
            self._callbacks.on_result(record, report)
        return True

    def _save_progress(self, record: TrialRecord) -> None:
        self._store.save_trial(record)
        self._retry(lambda: self._proposals.save_elapsed(self._budget.seconds()))

    def _tell(self, record: TrialRecord) -> None:
        self._retry(lambda: self._proposals.tell(record))

    def _end(self, running: _RunningTrial, report: TrialReport | None, *, died: bool) -> None:
        record = running.record
        if report is not None:
            self._apply(running, report)
        end_trial(
            record,
            report,
            self._proposals.objectives,
            died=died,
            budget_spent=self._budget.stops_running_trials(),
        )
        if record.state is TrialState.COMPLETE:
            self._proposals.check_measured(record)
        elif record.state is TrialState.INTERRUPTED and self.ended_because is None:
            self._keep(running)
        if record.state is TrialState.FAILED and (change := self._data_change()) is not None:
            # Every later trial would fail too; this one can train again on the right data.
            record.state, record.error = TrialState.INTERRUPTED, change
            self.finish(change)
        running.ended = True

    def _keep(self, running: _RunningTrial) -> None:
        """Decide what becomes of a trial that lost its lane although the search continues."""
        record, before = running.record, running.before
        running.requeued = self._queue.may_return(record, before)
        if not running.requeued:
            record.state = TrialState.FAILED
            record.error = f"interrupted {MAX_RETURNS + 1} times without progress: {record.error}"
        elif record.accelerator_seconds == 0 and record.checkpoint is None:  # it had no lane
            record.started = None
            self._budget.refund(record.trial_id)
