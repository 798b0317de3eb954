"""What a lane reports, and what it makes of a trial's record."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mixfront.records.store import TrialRecord, TrialState
from mixfront.spec.objectives import Objective

FULL = 1 - 1e-9  # fidelity of a trial that has trained all its steps


@dataclass(frozen=True, kw_only=True)
class Report:
    """One result of a lane's trial. Tune may hand it over flattened ("metrics/auc")."""

    status: str | None = None  # running | complete | failed | interrupted; None: no result at all
    step: int = 0  # optimizer steps so far
    fidelity: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    checkpoint: str | None = None
    final: str | None = None
    error: str | None = None
    attempts: int = 0
    accelerator_seconds: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    iteration: int | None = None

    @classmethod
    def read(cls, result: Mapping[str, Any] | None) -> "Report":
        """From what Tune hands to searcher and scheduler, which may be None or next to nothing."""
        raw = dict(result or {})
        return cls(
            status=raw.get("status"),
            step=int(raw.get("step") or 0),
            fidelity=float(raw.get("fidelity") or 0.0),
            metrics=_part(raw, "metrics"),
            checkpoint=raw.get("checkpoint"),
            final=raw.get("final"),
            error=raw.get("error"),
            attempts=int(raw.get("attempts") or 0),
            accelerator_seconds=float(raw.get("accelerator_seconds") or 0.0),
            seconds=_part(raw, "seconds"),
            iteration=raw.get("training_iteration"),
        )


def _part(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A dict of a result, flattened or not."""
    prefix = f"{name}/"
    flat = {k.removeprefix(prefix): v for k, v in raw.items() if k.startswith(prefix)}
    return {**(raw.get(name) or {}), **flat}


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


def take_in(
    record: TrialRecord, report: Report, before: TrialRecord, objectives: Sequence[Objective]
) -> None:
    """Write an evaluation into the record.

    Args:
        record: Changed in place.
        report: The lane's latest.
        before: The record as it was when the lane got it; what a lane counts begins there.
        objectives: Those of the search.
    """
    record.fidelity = max(record.fidelity, min(1.0, report.fidelity))
    record.metrics = finite(report.metrics) or record.metrics
    record.values = objective_values(objectives, record.metrics, record.costs)
    record.checkpoint = report.checkpoint or record.checkpoint
    record.final = report.final or record.final
    record.attempts = before.attempts + report.attempts
    record.accelerator_seconds = before.accelerator_seconds + report.accelerator_seconds
    for phase, seconds in finite(report.seconds).items():
        record.seconds[phase] = record.seconds.get(phase, 0.0) + seconds


def settle(
    record: TrialRecord,
    report: Report,
    objectives: Sequence[Objective],
    *,
    died: bool,
    budget_spent: str | None,
) -> None:
    """Decide the state in which a trial that reports no more has ended.

    Tune's own `done` is true for stopped and finished trials alike and is never looked at.

    Args:
        record: Changed in place; the report is in it already.
        report: The last one.
        objectives: All must be finite in a COMPLETE trial.
        died: Tune lost the trial's process.
        budget_spent: Why running trials were stopped for good, if they were.
    """
    record.ended = time.time()
    record.state, reason = _verdict(record, report, objectives, died, budget_spent)
    record.error = reason or record.error


def _verdict(
    record: TrialRecord,
    report: Report,
    objectives: Sequence[Objective],
    died: bool,
    budget_spent: str | None,
) -> tuple[TrialState, str | None]:
    if died:
        return TrialState.FAILED, report.error or "the process that followed the trial died"
    if report.status == "failed":
        return TrialState.FAILED, report.error or "the lane gave no reason"
    if report.status == "complete":
        return _verdict_at_the_end(record, report, objectives)
    if report.status == "running":
        stopped = f"stopped early at fidelity {report.fidelity:g}, where other trials were better"
        return TrialState.PRUNED, budget_spent or stopped
    if budget_spent is not None:
        return TrialState.PRUNED, budget_spent
    return TrialState.INTERRUPTED, report.error


def _verdict_at_the_end(
    record: TrialRecord, report: Report, objectives: Sequence[Objective]
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


def is_evaluation(report: Report) -> bool:
    """Whether a report carries metrics that were not carried before."""
    return report.status in ("running", "complete") and bool(report.metrics)
