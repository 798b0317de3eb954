"""Multi-objective successive halving: which trials continue past a rung."""

import math
from collections.abc import Mapping, Sequence

import moocore
import numpy as np
import numpy.typing as npt

from mixfront.spec.objectives import Objective

Values = Mapping[str, float]
MARGIN = 0.1  # distance of the reference point from the worst value, as a share of the range


def passes_rung(
    trial_id: str, reached: Mapping[str, Values], objectives: Sequence[Objective], keep: float
) -> bool:
    """Whether a trial is in the best share `keep` of the trials that reached the same rung.

    Trials are sorted by non-dominated rank. Within the front that the cut runs through, trials
    with a larger exclusive hypervolume come first (costs in log10), so that the ends and the
    sparse regions of the front survive. The order does not depend on the objectives' scales.

    Args:
        trial_id: One of the keys of `reached`.
        reached: Trial id -> its objectives at the rung.
        objectives: The search's objectives.
        keep: Share of trials that continue, rounded up to whole trials.
    """
    ids = list(reached)
    points = _to_minimise(list(reached.values()), objectives)
    own = ids.index(trial_id)
    ranks = moocore.pareto_rank(points)
    allowed = math.ceil(keep * len(ids))
    better = int((ranks < ranks[own]).sum())
    front = np.flatnonzero(ranks == ranks[own])
    if better >= allowed or better + len(front) <= allowed or len(objectives) == 1:
        return better < allowed  # with one objective, a front is a tie
    contributions = moocore.hv_contributions(points[front], ref=_reference(points))
    own_contribution = contributions[front == own][0]
    return better + int((contributions > own_contribution).sum()) < allowed


def _to_minimise(
    values: Sequence[Values], objectives: Sequence[Objective]
) -> npt.NDArray[np.float64]:
    """Points of shape (trials, objectives): all minimised, costs in log10."""
    return np.asarray(
        [[o.minimised(o.scaled(trial[o.metric])) for o in objectives] for trial in values]
    )


def _reference(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    spread = points.max(axis=0) - points.min(axis=0)
    worst: npt.NDArray[np.float64] = points.max(axis=0)
    return worst + np.where(spread > 0, MARGIN * spread, 1.0)
