"""The hypervolume's reference point: fixed when a search starts, so hypervolume never falls."""

from collections.abc import Sequence

from mixfront.exceptions import SpecError
from mixfront.search.cost_check import CostCheck, Costs, costs_if_buildable
from mixfront.spaces import Space
from mixfront.spec.metrics import STEERING
from mixfront.spec.objectives import Objective
from mixfront.spec.search_spec import SearchSpec

MARGIN = 1.1  # beyond the costliest model, so that it too adds hypervolume


def reference_point(spec: SearchSpec, space: Space, costs: CostCheck) -> list[float]:
    """In the objectives' order, costs in log10.

    Of each objective: the spec's `reference_point`, else the constraint that bounds it, else the
    value of a model that knows nothing (AUC 0.5), else the costliest corner of the space.

    Raises:
        SpecError: If no corner of the space can be built.
    """
    corners: list[Costs] = []
    if any(_stated(spec, objective) is None for objective in spec.objectives):
        corners = _corner_costs(space, costs)
    return [objective.scaled(_natural(spec, objective, corners)) for objective in spec.objectives]


def _natural(spec: SearchSpec, objective: Objective, corners: Sequence[Costs]) -> float:
    stated = _stated(spec, objective)
    if stated is not None:
        return stated
    found = [corner[objective.metric] for corner in corners]
    return max(found) * MARGIN if objective.direction == "min" else min(found) / MARGIN


def _stated(spec: SearchSpec, objective: Objective) -> float | None:
    """What spec, constraint or chance say, without looking at the space."""
    if objective.metric in spec.reference_point:
        return spec.reference_point[objective.metric]
    constraint = spec.constraints.get(objective.metric)
    if constraint is not None and (constraint.op == "<=") == (objective.direction == "min"):
        return constraint.limit
    metric = STEERING[objective.metric]
    return metric.worst if objective.direction == metric.direction else None


def _corner_costs(space: Space, costs: CostCheck) -> list[Costs]:
    found = [
        cost
        for corner in space.extremes()
        if (cost := costs_if_buildable(costs, corner)) is not None
    ]
    if not found:
        raise SpecError(
            f"no corner of space {space.name!r} can be built; give `reference_point:` in the spec"
        )
    return found
