"""Quick checks of a spec: random configurations of its space, and its filters."""

from dataclasses import asdict, dataclass
from typing import Any

import optuna

from mixfront.exceptions import SpecError
from mixfront.records.store import TrialState
from mixfront.search.cost_check import Costs, ModelCosts
from mixfront.search.proposals import Proposals
from mixfront.search.sampler.optuna_samplers import make_sampler
from mixfront.spaces import Space
from mixfront.spec.search_spec import SearchSpec


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Configurations sampled from a space, and the range of their costs."""

    drawn: int
    feasible: int
    costs: dict[str, tuple[float, float]]  # metric -> (smallest, largest) feasible value

    def to_json(self) -> dict[str, Any]:
        """The fields as plain JSON."""
        return asdict(self)


def sample_space(spec: SearchSpec, space: Space, num: int) -> Sample:
    """Sample configurations at random, `search.enqueue` first, and count their costs.

    Raises:
        SpecError: If an enqueued configuration does not fit, or no sampled one is feasible.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    random_search = spec.search.model_copy(update={"sampler": "random"})
    study = optuna.create_study(
        directions=["minimize"] * len(spec.objectives),
        sampler=make_sampler(spec.model_copy(update={"search": random_search}), 0),
    )
    proposals = Proposals.of_spec(spec, study, space, ModelCosts.of_spec(spec))
    records = [proposals.ask() for _ in range(num)]
    feasible = [r for r in records if r.state is not TrialState.INFEASIBLE]
    if not feasible:
        raise SpecError(
            f"none of {num} configurations sampled from space {space.name!r} is feasible "
            f"(last reason: {records[-1].error}); loosen the constraints or narrow the space"
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
