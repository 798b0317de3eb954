"""Who goes on past a rung, with several objectives at once."""

import math
from collections.abc import Mapping, Sequence

import moocore
import numpy as np
import numpy.typing as npt

from mixfront.spec.objectives import Objective

Values = Mapping[str, float]
MARGIN = 0.1  # of an objective's range: how far the reference point lies beyond the worst


def passes_rung(
    trial_id: str, reached: Mapping[str, Values], objectives: Sequence[Objective], keep: float
) -> bool:
    """Whether a trial is among the best `keep` of those that reached the same rung.

    Trials are sorted by non-dominated rank. Within the front that the cut runs through, those
    that add more hypervolume of their own come first (costs in log10), so that the ends of the
    front and its sparse places survive; the order does not depend on the objectives' scales.

    Args:
        trial_id: One of the keys of `reached`.
        reached: Trial id -> its objectives at the rung.
        objectives: Those of the search.
        keep: Share that goes on, rounded up to whole trials.
    """
    ids = list(reached)
    points = _to_minimise(list(reached.values()), objectives)
    own = ids.index(trial_id)
    ranks = moocore.pareto_rank(points)
    allowed = math.ceil(keep * len(ids))
    better = int((ranks < ranks[own]).sum())
    front = np.flatnonzero(ranks == ranks[own])
    if better >= allowed or better + len(front) <= allowed or len(objectives) == 1:
        return better < allowed  # with one objective a front is a tie
    added = moocore.hv_contributions(points[front], ref=_reference(points))
    mine = added[front == own][0]
    return better + int((added > mine).sum()) < allowed


def _to_minimise(
    values: Sequence[Values], objectives: Sequence[Objective]
) -> npt.NDArray[np.float64]:
    """(trials, objectives), smaller is better everywhere, costs in log10."""
    return np.asarray(
        [[o.minimised(o.scaled(found[o.metric])) for o in objectives] for found in values]
    )


def _reference(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    spread = points.max(axis=0) - points.min(axis=0)
    worst: npt.NDArray[np.float64] = points.max(axis=0)
    return worst + np.where(spread > 0, MARGIN * spread, 1.0)
