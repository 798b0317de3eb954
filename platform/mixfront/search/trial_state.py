"""From a lane's reports to a trial's record, and to the state in which the trial ends."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.records.store import TrialRecord, TrialState
from mixfront.spec.objectives import Objective

FULL = 1 - 1e-9  # fidelity of a trial that has trained all its steps


def finite(values: Mapping[str, Any]) -> dict[str, float]:
    """Only the finite numbers: JSON has no others."""
    numbers = {k: v for k, v in values.items() if isinstance(v, int | float)}
    return {key: float(value) for key, value in numbers.items() if math.isfinite(value)}


def objective_values(
    objectives: Sequence[Objective], metrics: Mapping[str, float], costs: Mapping[str, float]
) -> dict[str, float]:
    """The objectives that are known and finite; what a configuration decides is not measured."""
    known = finite(metrics) | finite(costs)
    return {o.metric: known[o.metric] for o in objectives if o.metric in known}


def apply_report(
    record: TrialRecord,
    report: TrialReport,
    before: TrialRecord,
    objectives: Sequence[Objective],
) -> None:
    """Write a report into the record.

    Args:
        record: Changed in place.
        report: The lane's latest.
        before: The record as it was when the lane got it; the lane counts from there.
        objectives: Those of the search.
    """
    record.fidelity = max(record.fidelity, min(1.0, report.fidelity))
    record.metrics = finite(report.metrics) or record.metrics
    record.values = objective_values(objectives, record.metrics, record.costs)
    record.checkpoint = report.checkpoint or record.checkpoint
    record.model_url = report.model_url or record.model_url
    record.attempts = before.attempts + report.attempts
    record.accelerator_seconds = before.accelerator_seconds + report.accelerator_seconds
    for phase, seconds in finite(report.seconds).items():
        record.seconds[phase] = record.seconds.get(phase, 0.0) + seconds


def end_trial(
    record: TrialRecord,
    report: TrialReport | None,
    objectives: Sequence[Objective],
    *,
    died: bool,
    budget_spent: str | None,
) -> None:
    """Decide the state in which a trial that reports no more has ended.

    Tune's own `done` is true for stopped and finished trials alike and is never looked at.

    Args:
        record: Changed in place; the report has been applied to it.
        report: The last one; None if there was none.
        objectives: All must be finite in a COMPLETE trial.
        died: Tune lost the trial's process.
        budget_spent: Why running trials were stopped for good, if they were.
    """
    record.ended = time.time()
    record.state, reason = _end_state(record, report, objectives, died, budget_spent)
    record.error = reason or record.error


def _end_state(
    record: TrialRecord,
    report: TrialReport | None,
    objectives: Sequence[Objective],
    died: bool,
    budget_spent: str | None,
) -> tuple[TrialState, str | None]:
    error = report.error if report is not None else None
    if died:
        return TrialState.FAILED, error or "the process that followed the trial died"
    if report is not None and report.status is TrialStatus.FAILED:
        return TrialState.FAILED, error or "the lane gave no reason"
    if report is not None and report.status is TrialStatus.COMPLETE:
        return _end_state_at_full_fidelity(record, report, objectives)
    if report is not None and report.status is TrialStatus.RUNNING:
        stopped = f"stopped early at fidelity {report.fidelity:g}, where other trials were better"
        return TrialState.PRUNED, budget_spent or stopped
    if budget_spent is not None:
        return TrialState.PRUNED, budget_spent
    return TrialState.INTERRUPTED, error


def _end_state_at_full_fidelity(
    record: TrialRecord, report: TrialReport, objectives: Sequence[Objective]
) -> tuple[TrialState, str | None]:
    if report.fidelity < FULL:
        return TrialState.FAILED, f"reported complete at fidelity {report.fidelity:g}"
    known = {**report.metrics, **record.costs}
    values = objective_values(objectives, report.metrics, record.costs)
    for objective in objectives:
        if objective.metric not in values:
            found = known.get(objective.metric, "missing")
            return TrialState.FAILED, f"the objective {objective.metric!r} is {found}"
    return TrialState.COMPLETE, None
