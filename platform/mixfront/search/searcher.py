"""Tune's searcher: hands configurations to free lanes and keeps the truth about every trial."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ray.tune.search import Searcher

from mixfront.pool.report import TrialReport
from mixfront.records.store import RecordStore, TrialRecord, TrialState
from mixfront.search.budget import Budget
from mixfront.search.proposals import Proposals
from mixfront.search.study import set_elapsed_seconds
from mixfront.search.trial_state import apply_report, end_trial
from mixfront.training.request import TrialRequest

PATIENCE_S = 2.0  # of sampling at a stretch while trials run: Tune handles no result meanwhile


class TrialCallbacks(Protocol):
    """Who wants to know. Starts and ends are saved and told to the study before."""

    def on_start(self, record: TrialRecord) -> None:
        """A trial goes to a lane; may set `record.run_id`, which is then saved."""

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        """A trial reached an evaluation; the last one comes here too. Not saved yet: after a
        crash the same evaluation may come once more."""

    def on_end(self, record: TrialRecord) -> None:
        """A trial ended or was interrupted; infeasible ones come here without a start."""


@dataclass
class _RunningTrial:
    """A trial that Tune runs."""

    record: TrialRecord
    before: TrialRecord  # as it was when Tune got it
    last: int = 0  # number of the last report applied
    ended: bool = False


class LaneSearcher(Searcher):
    """Proposes a configuration only when a lane is free.

    It returns None only while a trial runs, since Tune would block otherwise, and FINISHED for
    good once `ended_because` says why. It gives Tune no metric: Tune would end the whole search
    when one trial lacks it. A trial's state is saved before anyone is told of it.

    Args:
        proposals: The study.
        store: Where records go.
        budget: Told of every trial; asked before every proposal.
        make_request: What a lane is to be sent for a record.
        pool: Name of the lane pool's actor.
        capacity: Number of lanes there are.
        callbacks: Tracking, progress.
        unfinished: Records of an interrupted search; they are resumed before anything is sampled.
        max_infeasible_in_a_row: After so many refusals the space is given up.
        max_failed_in_a_row: After so many failed trials the search is given up.
    """

    def __init__(
        self,
        proposals: Proposals,
        store: RecordStore,
        budget: Budget,
        *,
        make_request: Callable[[TrialRecord], TrialRequest],
        pool: str,
        capacity: Callable[[], int],
        callbacks: TrialCallbacks,
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
        self._capacity = capacity
        self._callbacks = callbacks
        self._waiting = deque(unfinished)
        self._running: dict[str, _RunningTrial] = {}  # by Tune's trial id
        self._max_in_a_row = max_infeasible_in_a_row
        self._in_a_row = 0
        self._max_failed_in_a_row = max_failed_in_a_row
        self._failed_in_a_row = 0

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles a copy into its folder that nobody reads; nothing of ours goes there."""
        return {}

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: the study and the records are the state."""

    def finish(self, reason: str) -> None:
        """Propose nothing more. Running trials end as they will; the first reason stays."""
        self.ended_because = self.ended_because or reason

    def costs_of(self, trial_id: str) -> dict[str, float]:
        """Costs of a running trial, by our trial id; empty if it does not run."""
        records = (running.record for running in self._running.values())
        return next((record.costs for record in records if record.trial_id == trial_id), {})

    def suggest(self, trial_id: str) -> Any:  # Ray says dict | None, and means FINISHED too
        """The next trial's config for Tune, None while every lane is taken, or FINISHED."""
        if (reason := self._budget.overdrawn()) is not None:
            self._prune_waiting(reason)
            self.finish(reason)
        if self.ended_because is not None:
            return self.FINISHED
        if self._running and len(self._running) >= self._capacity():
            return None
        if self._capacity() < 1:
            self.finish("no lane is left to run a trial on; `mixfront search resume` starts anew")
            return self.FINISHED
        record = self._waiting.popleft() if self._waiting else self._propose()
        if record is not None:
            return self._start(trial_id, record)
        return None if self.ended_because is None else self.FINISHED

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Tune has an evaluation; the final one comes with `on_trial_complete` instead."""
        running, report = self._running.get(trial_id), TrialReport.from_tune(result)
        if running is not None and report is not None:
            self._apply(running, report)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A trial is over, for whatever reason.

        Tune calls a second time, with `error`, if this raises; by then the trial has ended, and
        what failed half-way is only repeated.
        """
        running = self._running.get(trial_id)
        if running is None:
            return
        if not running.ended:
            self._end(running, TrialReport.from_tune(result), died=error)
        record = running.record
        self._store.save_trial(record)
        if record.state.is_finished:
            self._proposals.tell(record)
        set_elapsed_seconds(self._proposals.study, self._budget.seconds())
        self._callbacks.on_end(record)
        del self._running[trial_id]
        self._count_failures(record)

    def interrupt(self, reason: str) -> None:
        """Leave what still runs as INTERRUPTED, for when Tune ends without a word about it."""
        self.finish(reason)
        for trial_id in list(self._running):
            self.on_trial_complete(trial_id)

    def _count_failures(self, record: TrialRecord) -> None:
        """A broken installation must not burn the whole trial budget."""
        failed = record.state is TrialState.FAILED
        self._failed_in_a_row = self._failed_in_a_row + 1 if failed else 0
        if self._failed_in_a_row >= self._max_failed_in_a_row:
            self.finish(
                f"{self._failed_in_a_row} trials in a row failed (the last: {record.error}); "
                "mend that, then start anew"
            )

    def _propose(self) -> TrialRecord | None:
        """The next feasible configuration; None when the search ends, or to let Tune breathe."""
        begun = time.monotonic()
        while (reason := self._budget.spent()) is None:
            record = self._proposals.ask()
            if record.state is not TrialState.INFEASIBLE:
                self._in_a_row = 0
                return record
            self._refuse(record)
            if self._in_a_row >= self._max_in_a_row:
                reason = self._gave_up(record)
                break
            if self._running and time.monotonic() - begun > PATIENCE_S:
                return None
        self.finish(reason)
        return None

    def _refuse(self, record: TrialRecord) -> None:
        self._in_a_row += 1
        self._store.save_trial(record)
        self._proposals.tell(record)
        self._callbacks.on_end(record)

    def _gave_up(self, record: TrialRecord) -> str:
        return (
            f"{self._in_a_row} configurations in a row were infeasible "
            f"(the last: {record.error}); loosen the constraints or narrow the space"
        )

    def _prune_waiting(self, reason: str) -> None:
        """Trials that were to be resumed have no budget left to be."""
        while self._waiting:
            record = self._waiting.popleft()
            record.state, record.error, record.ended = TrialState.PRUNED, reason, time.time()
            self._store.save_trial(record)
            self._proposals.tell(record)
            self._callbacks.on_end(record)

    def _start(self, tune_id: str, record: TrialRecord) -> dict[str, Any]:
        record.state, record.error, record.ended = TrialState.RUNNING, None, None
        record.started = record.started or time.time()
        self._store.save_trial(record)
        self._callbacks.on_start(record)
        self._store.save_trial(record)  # with what tracking added
        self._budget.charge(record.trial_id, record.accelerator_seconds)
        self._running[tune_id] = _RunningTrial(record, before=record.model_copy(deep=True))
        request = self._make_request(record)
        return {"pool": self._pool, "request": request.model_dump(mode="json")}

    def _apply(self, running: _RunningTrial, report: TrialReport) -> None:
        if report.number <= running.last:
            return
        running.last = report.number
        record = running.record
        apply_report(record, report, running.before, self._proposals.objectives)
        self._budget.charge(record.trial_id, record.accelerator_seconds)
        if report.is_evaluation:
            # Before the record is saved: if the driver is killed in between, the trial comes to
            # this step again and reports the same. The other way round MLflow would never know.
            self._callbacks.on_result(record, report)
        self._store.save_trial(record)
        set_elapsed_seconds(self._proposals.study, self._budget.seconds())

    def _end(self, running: _RunningTrial, report: TrialReport | None, *, died: bool) -> None:
        record = running.record
        if report is not None:
            self._apply(running, report)
        end_trial(
            record,
            report,
            self._proposals.objectives,
            died=died,
            budget_spent=self._budget.overdrawn(),
        )
        if record.state is TrialState.COMPLETE:
            self._proposals.judge_measured(record)
        running.ended = True
