"""Applies a lane's reports to a trial's record, and decides the trial's final state."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.records.store import TrialRecord, TrialState
from mixfront.spec.objectives import Objective

FULL = 1 - 1e-9  # fidelity of a fully trained trial, up to rounding


def finite(values: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers among the values; JSON has no others."""
    numbers = {k: v for k, v in values.items() if isinstance(v, int | float)}
    return {key: float(value) for key, value in numbers.items() if math.isfinite(value)}


def objective_values(
    objectives: Sequence[Objective], metrics: Mapping[str, float], costs: Mapping[str, float]
) -> dict[str, float]:
    """The objectives that are available and finite; counted costs override measured metrics."""
    values = finite(metrics) | finite(costs)
    return {o.metric: values[o.metric] for o in objectives if o.metric in values}


def apply_report(
    record: TrialRecord,
    report: TrialReport,
    before: TrialRecord,
    objectives: Sequence[Objective],
) -> None:
    """Update a record with a report.

    A trial whose checkpoint was damaged repeats evaluations. The record keeps the metrics of its
    highest fidelity, and at equal fidelity the first ones, as MLflow does.

    Args:
        record: Changed in place.
        report: The lane's latest report.
        before: The record when the lane got the trial; the report's counters start from it.
        objectives: The search's objectives.
    """
    fidelity = min(1.0, report.fidelity)
    if fidelity > record.fidelity or not record.metrics:
        record.fidelity = max(record.fidelity, fidelity)
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
    """Set the final state of a trial.

    Tune's own `done` is true for stopped and finished trials alike, so it is never used.

    Args:
        record: Changed in place; the report has already been applied to it.
        report: The trial's last report, if any.
        objectives: All must be finite for a trial to be COMPLETE.
        died: Whether Tune lost the trial's actor.
        budget_spent: Which spent budget stopped the running trials, if any.
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
        return TrialState.FAILED, error or "the trial's Tune actor died"
    if report is not None and report.status is TrialStatus.FAILED:
        return TrialState.FAILED, error or "the lane reported no reason"
    if report is not None and report.status is TrialStatus.COMPLETE:
        return _end_state_at_full_fidelity(record, report, objectives)
    if report is not None and report.status is TrialStatus.RUNNING:
        stopped = f"stopped early at fidelity {report.fidelity:g}: other trials were better there"
        return TrialState.PRUNED, budget_spent or stopped
    if budget_spent is not None:
        return TrialState.PRUNED, budget_spent
    return TrialState.INTERRUPTED, error


def _end_state_at_full_fidelity(
    record: TrialRecord, report: TrialReport, objectives: Sequence[Objective]
) -> tuple[TrialState, str | None]:
    if report.fidelity < FULL:
        return TrialState.FAILED, f"reported as complete at fidelity {report.fidelity:g}, not 1"
    reported = {**report.metrics, **record.costs}
    values = objective_values(objectives, report.metrics, record.costs)
    for objective in objectives:
        if objective.metric not in values:
            value = reported.get(objective.metric, "missing")
            return TrialState.FAILED, f"the objective {objective.metric!r} is {value}"
    return TrialState.COMPLETE, None
