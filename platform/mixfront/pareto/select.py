"""Picks one trial of a front: `knee`, `best:METRIC` or `max:METRIC<=VALUE`."""

import math
import re
from dataclasses import dataclass

import numpy as np

from mixfront.exceptions import SpecError, UnknownNameError, UsageError
from mixfront.pareto.front import Front, points_of
from mixfront.records import TrialRecord
from mixfront.spec.metrics import describe_metric
from mixfront.training.request import TEST_PREFIX

FORMS = "knee, best:METRIC or max:METRIC<=VALUE"
_BEST = re.compile(r"best:(?P<metric>[\w.]+)")
_MAX = re.compile(r"max:(?P<metric>[\w.]+)\s*<=\s*(?P<limit>\S+)")


@dataclass(frozen=True)
class Knee:
    """The knee, beyond which a gain in one objective costs too much in the others."""


@dataclass(frozen=True)
class Best:
    """The trial that is best in one metric."""

    metric: str


@dataclass(frozen=True)
class Max:
    """The trial with the largest value of a metric up to a limit."""

    metric: str
    limit: float


Pick = Knee | Best | Max


def parse_pick(text: str) -> Pick:
    """Parse the value of `--pick`.

    Raises:
        UsageError: If it has no valid form, or names a metric of the test split.
    """
    text = text.strip()
    if text == "knee":
        return Knee()
    if match := _BEST.fullmatch(text):
        return Best(_allowed(match["metric"]))
    if match := _MAX.fullmatch(text):
        return Max(_allowed(match["metric"]), _number(match["limit"]))
    raise UsageError(f"{text!r} is not a valid pick; use {FORMS}, such as 'max:flops<=1e11'")


def pick_trial(pick: Pick | str, front: Front) -> TrialRecord:
    """Pick a trial of the front; among equal trials, the one with the lowest number.

    Args:
        pick: The result of `parse_pick`, or its text.
        front: The front of the search.

    Raises:
        UsageError: If the front is empty, or no trial on it is within the limit.
        UnknownNameError: If a trial on the front lacks the metric.
    """
    pick = parse_pick(pick) if isinstance(pick, str) else pick
    if not front.members:
        raise UsageError("the front is empty; wait until a feasible trial has completed")
    if isinstance(pick, Knee):
        return _knee(front)
    if isinstance(pick, Best):
        return _best(front, pick.metric)
    return _max(front, pick)


def knee_distances(front: Front) -> list[float]:
    """Distance of each member from the line (plane) through the extremes of the front.

    Each objective is scaled to [0, 1] over the front (costs in log10, 0 = best). With two
    objectives, the extremes are then (0, 1) and (1, 0), and the distance of x from the line
    between them, towards the ideal point (0, 0), is (1 - x1 - x2) / sqrt(2). With m objectives,
    the line becomes the plane through the m unit points: (1 - sum of x) / sqrt(m). This is the
    knee of Das (1999), "On characterizing the knee of the Pareto curve", on unit extremes.
    """
    points = points_of(front.members, front.objectives)
    lowest, span = points.min(axis=0), np.ptp(points, axis=0)
    unit = (points - lowest) / np.where(span > 0, span, 1.0)
    distances: list[float] = ((1.0 - unit.sum(axis=1)) / math.sqrt(points.shape[1])).tolist()
    return distances


def _knee(front: Front) -> TrialRecord:
    distances = knee_distances(front)
    ranked = sorted(
        zip(distances, front.members, strict=True),
        key=lambda pair: (-pair[0], int(pair[1].trial_id)),
    )
    return ranked[0][1]


def _best(front: Front, metric: str) -> TrialRecord:
    sign = 1 if _direction(front, metric) == "min" else -1
    return min(front.members, key=lambda t: (sign * _value(t, metric), int(t.trial_id)))


def _max(front: Front, pick: Max) -> TrialRecord:
    values = {t.trial_id: _value(t, pick.metric) for t in front.members}
    allowed = [t for t in front.members if values[t.trial_id] <= pick.limit]
    if not allowed:
        raise UsageError(
            f"no trial on the front has {pick.metric} <= {pick.limit:g}; set a limit of at least "
            f"{min(values.values()):g}, the smallest value"
        )
    return max(allowed, key=lambda t: (values[t.trial_id], -int(t.trial_id)))


def _direction(front: Front, metric: str) -> str:
    for objective in front.objectives:
        if objective.metric == metric:
            return objective.direction
    return describe_metric(metric).direction


def _value(trial: TrialRecord, metric: str) -> float:
    values = {**trial.costs, **trial.metrics, **trial.values}
    if metric not in values or math.isnan(values[metric]):
        names = [name for name in values if not name.startswith(TEST_PREFIX)]
        raise UnknownNameError(f"metric of trial {trial.trial_id}", metric, names)
    return values[metric]


def _allowed(metric: str) -> str:
    if metric.startswith(TEST_PREFIX):
        raise UsageError(
            f"cannot pick by {metric!r}, because the test split is only reported; "
            "use a validation metric"
        )
    return metric


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise SpecError(
            f"the limit {text!r} is not a number; write, for example, 'max:flops<=1e11'"
        )
    return value
