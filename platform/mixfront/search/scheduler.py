"""The Tune scheduler: continues trials, or stops them at a rung or when a budget is spent."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from mixfront.exceptions import StorageError
from mixfront.pool.report import TrialReport
from mixfront.records.retries import Retry, once
from mixfront.search.limits.budget import Budget
from mixfront.search.proposals import Proposals
from mixfront.search.rungs import passes_rung
from mixfront.search.trial_state import objective_values
from mixfront.spec.stopping import FixedRungs, NoStopping

CostsOf = Callable[[str], Mapping[str, float]]  # by our trial id


class SearchScheduler(FIFOScheduler):
    """Runs trials first come, first served; the spec's `stopping:` decides which stop early.

    A trial's objectives at a rung are stored in the study, so a resumed search also compares with
    the trials of earlier drivers. A trial that lacks an objective at a rung is not compared; if
    it still lacks it at the end, the searcher fails the trial.
    """

    def __init__(
        self,
        stopping: NoStopping | FixedRungs,
        proposals: Proposals,
        budget: Budget,
        costs_of: CostsOf,
        retry: Retry = once,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # untyped in Ray
        self._stopping = stopping
        self._proposals = proposals
        self._budget = budget
        self._costs_of = costs_of
        self._retry = retry

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles a copy into its folder, but nothing ever reads it."""
        return {}

    def on_trial_result(self, _controller: object, _trial: Trial, result: dict[str, Any]) -> str:
        """Return CONTINUE or STOP."""
        report = TrialReport.from_tune(result)
        if report is None or report.is_last or self._budget.stops_running_trials() is not None:
            return str(TrialScheduler.STOP)
        try:
            passes = isinstance(self._stopping, NoStopping) or self._passes(report, self._stopping)
        except StorageError:  # the searcher interrupts the search; the trial was not compared
            passes = True
        return str(TrialScheduler.CONTINUE if passes else TrialScheduler.STOP)

    def debug_string(self) -> str:
        """The text for Tune's own table, which we do not show."""
        return f"stopping: {self._stopping.kind}"

    def _passes(self, report: TrialReport, stopping: FixedRungs) -> bool:
        """Compare the trial at every rung that it has reached since its last report."""
        trial_id, objectives = report.trial_id, self._proposals.objectives
        values = objective_values(objectives, report.metrics, self._costs_of(trial_id))
        if len(values) < len(objectives):
            return True
        for rung in stopping.rungs:
            if report.fidelity < rung or trial_id in self._reached(rung):
                continue
            self._retry(partial(self._proposals.record_rung, trial_id, rung, values))
            reached = self._reached(rung)
            enough = len(reached) >= stopping.min_trials
            if enough and not passes_rung(trial_id, reached, objectives, stopping.keep):
                return False
        return True

    def _reached(self, rung: float) -> dict[str, dict[str, float]]:
        return self._retry(lambda: self._proposals.rung_values(rung))
