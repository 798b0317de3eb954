"""Checks of a spec that cost nothing: random configurations of its space, and its filters."""

from dataclasses import asdict, dataclass
from typing import Any

import optuna

from mixfront.exceptions import SpecError
from mixfront.records.store import TrialState
from mixfront.search.cost_check import Costs, ModelCosts
from mixfront.search.proposals import Proposals
from mixfront.search.study import make_sampler
from mixfront.spaces import Space
from mixfront.spec.search_spec import SearchSpec


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Some configurations of a space, and what they cost."""

    drawn: int
    feasible: int
    costs: dict[str, tuple[float, float]]  # metric -> (smallest, largest) of the feasible ones

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def sample_space(spec: SearchSpec, space: Space, num: int) -> Sample:
    """Draw configurations at random, `search.enqueue` first, and count their costs.

    Raises:
        SpecError: If a configuration to enqueue does not fit, or not one drawn is feasible.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    drawn_at_random = spec.search.model_copy(update={"sampler": "random"})
    study = optuna.create_study(
        directions=["minimize"] * len(spec.objectives),
        sampler=make_sampler(spec.model_copy(update={"search": drawn_at_random}), 0),
    )
    proposals = Proposals.of_spec(spec, study, space, ModelCosts.of_spec(spec))
    records = [proposals.ask() for _ in range(num)]
    feasible = [r for r in records if r.state is not TrialState.INFEASIBLE]
    if not feasible:
        raise SpecError(
            f"not one of {num} configurations drawn from space {space.name!r} is feasible "
            f"(the last: {records[-1].error}); loosen the constraints or narrow the space"
        )
    return Sample(drawn=num, feasible=len(feasible), costs=_ranges([r.costs for r in feasible]))


def check_filters(spec: SearchSpec) -> None:
    """Parse the data's filters.

    Raises:
        SpecError: If one does not follow the grammar; gives the position.
    """
    from mixfront.data import parse_filter

    for text in spec.data.filters.values():
        if text is not None:
            parse_filter(text)


def _ranges(costs: list[Costs]) -> dict[str, tuple[float, float]]:
    return {
        name: (min(cost[name] for cost in costs), max(cost[name] for cost in costs))
        for name in ("params", "flops")
    }
