"""The reference point, fixed when a search starts so that the hypervolume never falls."""

from collections.abc import Sequence

from mixfront.exceptions import SpecError
from mixfront.search.cost_check import CostCheck, Costs, costs_if_buildable
from mixfront.spaces import Space
from mixfront.spec.metrics import OPTIMIZABLE
from mixfront.spec.objectives import Objective
from mixfront.spec.search_spec import SearchSpec

MARGIN = 1.1  # beyond the most expensive model, so that it adds hypervolume too


def reference_point(spec: SearchSpec, space: Space, costs: CostCheck) -> list[float]:
    """The reference point, in the objectives' order, with costs in log10.

    For each objective: the spec's `reference_point`, else the constraint that bounds it, else the
    value of an uninformed model (AUC 0.5), else the most expensive corner of the space.

    Raises:
        SpecError: If no corner of the space can be built.
    """
    corners: list[Costs] = []
    if any(_fixed_value(spec, objective) is None for objective in spec.objectives):
        corners = _corner_costs(space, costs)
    return [objective.scaled(_natural(spec, objective, corners)) for objective in spec.objectives]


def _natural(spec: SearchSpec, objective: Objective, corners: Sequence[Costs]) -> float:
    value = _fixed_value(spec, objective)
    if value is not None:
        return value
    values = [corner[objective.metric] for corner in corners]
    return max(values) * MARGIN if objective.direction == "min" else min(values) / MARGIN


def _fixed_value(spec: SearchSpec, objective: Objective) -> float | None:
    """The value from the spec, a constraint or chance; None if only the space decides."""
    if objective.metric in spec.reference_point:
        return spec.reference_point[objective.metric]
    constraint = spec.constraints.get(objective.metric)
    if constraint is not None and (constraint.op == "<=") == (objective.direction == "min"):
        return constraint.limit
    metric = OPTIMIZABLE[objective.metric]
    return metric.worst if objective.direction == metric.direction else None


def _corner_costs(space: Space, costs: CostCheck) -> list[Costs]:
    corners = [
        cost
        for corner in space.extremes()
        if (cost := costs_if_buildable(costs, corner)) is not None
    ]
    if not corners:
        raise SpecError(
            f"no corner of space {space.name!r} can be built; set `reference_point:` in the spec"
        )
    return corners
