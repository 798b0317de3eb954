"""Tune's scheduler: lets trials go on, or stops them at a rung or when a budget is spent."""

from collections.abc import Callable, Mapping
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from mixfront.pool.report import TrialReport
from mixfront.search.budget import Budget
from mixfront.search.proposals import Proposals
from mixfront.search.rungs import passes_rung
from mixfront.search.trial_state import objective_values
from mixfront.spec.stopping import FixedRungs, NoStopping

CostsOf = Callable[[str], Mapping[str, float]]  # by our trial id


class SearchScheduler(FIFOScheduler):
    """First come, first served; `stopping:` of the spec decides who stops early.

    What a trial had reached at a rung is kept in the study, so a resumed search compares with
    the trials of earlier drivers too. A trial lacking an objective at a rung is not compared; the
    searcher fails it if that is still so at the end.
    """

    def __init__(
        self,
        stopping: NoStopping | FixedRungs,
        proposals: Proposals,
        budget: Budget,
        costs_of: CostsOf,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Ray leaves it without types
        self._stopping = stopping
        self._proposals = proposals
        self._budget = budget
        self._costs_of = costs_of

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles a copy into its folder that nobody reads; nothing of ours goes there."""
        return {}

    def on_trial_result(self, _controller: object, _trial: Trial, result: dict[str, Any]) -> str:
        """CONTINUE or STOP."""
        report = TrialReport.from_tune(result)
        if report is None or report.is_last or self._budget.overdrawn() is not None:
            return str(TrialScheduler.STOP)
        stays = isinstance(self._stopping, NoStopping) or self._passes(report, self._stopping)
        return str(TrialScheduler.CONTINUE if stays else TrialScheduler.STOP)

    def debug_string(self) -> str:
        """For Tune's own table, which we do not show."""
        return f"stopping: {self._stopping.kind}"

    def _passes(self, report: TrialReport, stopping: FixedRungs) -> bool:
        """Judge the trial at every rung that it is at or past and was not judged at before."""
        trial_id, objectives = report.trial_id, self._proposals.objectives
        values = objective_values(objectives, report.metrics, self._costs_of(trial_id))
        if len(values) < len(objectives):
            return True
        for rung in stopping.rungs:
            if report.fidelity < rung or trial_id in self._proposals.rung_values(rung):
                continue
            self._proposals.note_rung(trial_id, rung, values)
            reached = self._proposals.rung_values(rung)
            enough = len(reached) >= stopping.min_trials
            if enough and not passes_rung(trial_id, reached, objectives, stopping.keep):
                return False
        return True
