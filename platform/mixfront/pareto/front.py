"""The Pareto front of a search: the complete trials that no other trial dominates.

Trial a dominates trial b if it is no worse in any objective and better in at least one. Only
COMPLETE and feasible trials count. Trials with equal values are all on the front.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray

from mixfront.exceptions import StorageError
from mixfront.records import SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective

Points = NDArray[np.float64]  # (trials, objectives), scaled, smaller is better


@dataclass(frozen=True)
class Front:
    """The front, and the rank of every complete, feasible trial.

    Attributes:
        objectives: The objectives compared.
        reference_point: One value per objective, costs in log10.
        members: The trials on the front, best in the first objective first.
        candidates: All complete, feasible trials, by number.
        ranks: Trial id -> 0 on the front, 1 on the front of the remaining trials, and so on.
        hypervolume: Volume that the front dominates, up to the reference point; costs in log10.
    """

    objectives: tuple[Objective, ...]
    reference_point: tuple[float, ...]
    members: tuple[TrialRecord, ...]
    candidates: tuple[TrialRecord, ...]
    ranks: dict[str, int]
    hypervolume: float

    def dominated_by(self, trial: TrialRecord) -> list[TrialRecord]:
        """The trials on the front that dominate a trial; empty if it is on the front."""
        point = points_of([trial], self.objectives)[0]
        others = points_of(self.members, self.objectives)
        dominates = np.all(others <= point, axis=1) & np.any(others < point, axis=1)
        return [member for member, does in zip(self.members, dominates, strict=True) if does]


def front_of(
    trials: Iterable[TrialRecord],
    objectives: Sequence[Objective],
    reference_point: Sequence[float],
) -> Front:
    """The front of the trials so far.

    Args:
        trials: Trials in any state; incomplete and infeasible ones are left out.
        objectives: The objectives to compare.
        reference_point: In the objectives' order, costs in log10.

    Raises:
        StorageError: If the search's record does not have one value per objective.
    """
    if len(reference_point) != len(objectives):
        raise StorageError(
            f"the search's record has {len(objectives)} objectives and {len(reference_point)} "
            "values of `reference_point`; restore its search.json"
        )
    candidates = [trial for trial in trials if is_candidate(trial, objectives)]
    candidates.sort(key=_number)
    points = points_of(candidates, objectives)
    members = [trial for trial, is_best in zip(candidates, _best(points), strict=True) if is_best]
    return Front(
        objectives=tuple(objectives),
        reference_point=tuple(reference_point),
        members=tuple(sorted(members, key=lambda trial: _order(trial, objectives))),
        candidates=tuple(candidates),
        ranks=_ranks(candidates, points),
        hypervolume=_hypervolume(points, objectives, reference_point),
    )


def is_feasible(trial: TrialRecord) -> bool:
    """Whether a trial satisfies every constraint."""
    is_violated = any(amount > 0 for amount in trial.violations.values())
    return trial.state is not TrialState.INFEASIBLE and not is_violated


def is_candidate(trial: TrialRecord, objectives: Sequence[Objective]) -> bool:
    """Whether a trial can be on the front: complete, feasible, and every objective finite."""
    values = [trial.values.get(objective.metric, math.nan) for objective in objectives]
    is_complete = trial.state is TrialState.COMPLETE
    return is_complete and is_feasible(trial) and all(map(math.isfinite, values))


def points_of(trials: Sequence[TrialRecord], objectives: Sequence[Objective]) -> Points:
    """Trials as points of shape (trials, objectives): costs in log10, smaller is better."""
    rows = [
        [o.minimised(o.scaled(trial.values[o.metric])) for o in objectives] for trial in trials
    ]
    return np.array(rows, dtype=np.float64).reshape(len(trials), len(objectives))


def hypervolume_history(
    trials: Iterable[TrialRecord],
    objectives: Sequence[Objective],
    reference_point: Sequence[float],
) -> list[tuple[TrialRecord, float]]:
    """Hypervolume after each complete trial, in the order in which trials ended; never falls."""
    candidates = [trial for trial in trials if is_candidate(trial, objectives)]
    candidates.sort(key=lambda t: (math.inf if t.ended is None else t.ended, _number(t)))
    points = points_of(candidates, objectives)
    front, volume = points[:0], 0.0
    history = []
    for trial, point in zip(candidates, points, strict=True):
        # Only a point that no earlier one dominates changes the volume: of 5,000 trials, few do.
        if not np.any(np.all(front <= point, axis=1)):
            front = np.vstack([front[np.any(front < point, axis=1)], point])
            larger = _hypervolume(front, objectives, reference_point)
            volume = max(volume, larger)  # hides rounding errors
        history.append((trial, volume))
    return history


def count_states(trials: Iterable[TrialRecord]) -> dict[str, int]:
    """Number of trials per state; complete trials that violate a constraint are infeasible."""
    states = Counter(_effective_state(trial) for trial in trials)
    return {str(state): states[state] for state in TrialState}


def front_json(
    search: SearchRecord, trials: Sequence[TrialRecord], front: Front | None = None
) -> dict[str, Any]:
    """The output of `mixfront pareto --json`."""
    front = front or front_of(trials, search.objectives, search.reference_point)
    return {
        "search_id": search.search_id,
        "objectives": [objective.model_dump() for objective in front.objectives],
        "front": [_member_json(member, front.objectives) for member in front.members],
        "hypervolume": front.hypervolume,
        "reference_point": list(front.reference_point),
        "trials": count_states(trials),
    }


def _effective_state(trial: TrialRecord) -> TrialState:
    is_infeasible = trial.state is TrialState.COMPLETE and not is_feasible(trial)
    return TrialState.INFEASIBLE if is_infeasible else trial.state


def _member_json(member: TrialRecord, objectives: Sequence[Objective]) -> dict[str, Any]:
    return {
        "trial_id": member.trial_id,
        "family": member.family,
        "values": {o.metric: member.values[o.metric] for o in objectives},
        "config": member.config,
        "run_id": member.run_id,
    }


def _best(points: Points) -> NDArray[np.bool_]:
    if len(points) == 0:
        return np.zeros(0, dtype=np.bool_)
    return np.asarray(moocore.is_nondominated(points, keep_weakly=True), dtype=np.bool_)


def _ranks(trials: Sequence[TrialRecord], points: Points) -> dict[str, int]:
    if len(points) == 0:
        return {}
    ranks = moocore.pareto_rank(points).tolist()
    return {trial.trial_id: rank for trial, rank in zip(trials, ranks, strict=True)}


def _hypervolume(
    points: Points, objectives: Sequence[Objective], reference_point: Sequence[float]
) -> float:
    """Hypervolume of the points better than the reference point in every objective."""
    corner = np.array([o.minimised(r) for o, r in zip(objectives, reference_point, strict=True)])
    inside = points[np.all(points < corner, axis=1)]
    return float(moocore.hypervolume(inside, ref=corner)) if len(inside) else 0.0


def _order(trial: TrialRecord, objectives: Sequence[Objective]) -> tuple[float, int]:
    first = objectives[0]
    return first.minimised(trial.values[first.metric]), _number(trial)


def _number(trial: TrialRecord) -> int:
    return int(trial.trial_id)
