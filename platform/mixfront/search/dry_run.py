"""What can be said of a spec without running it."""

from dataclasses import asdict, dataclass
from typing import Any

import optuna

from mixfront.exceptions import DataError, SpecError
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
        SpecError: If one is not of the filter language; says where.
    """
    from mixfront.data import parse_filter

    for text in (spec.data.train, spec.data.validation, spec.data.test):
        if text is not None:
            parse_filter(text)


def count_rows(spec: SearchSpec) -> dict[str, int]:
    """Rows of every split, after checking that the schema's columns are there.

    Raises:
        SchemaError: If the schema is wrong or does not fit the data.
        DataError: If the data cannot be read, or a filter selects no row.
    """
    from mixfront.data import load_schema, open_dataset, parse_filter
    from mixfront.data.reader import check_columns

    schema, dataset = load_schema(spec.data.schema_), open_dataset(spec.data.path)
    columns = [schema.label, schema.user, *(feature.source for feature in schema.features)]
    check_columns(columns, dataset.schema, spec.data.path)
    splits = {"train": spec.data.train, "validation": spec.data.validation, "test": spec.data.test}
    rows = {}
    for split, text in splits.items():
        if text is None and split == "test":
            continue
        expression = None if text is None else parse_filter(text).expression
        rows[split] = int(dataset.count_rows(filter=expression))
        if rows[split] == 0:
            raise DataError(f"data.{split} {text!r} selects no row of {spec.data.path}")
    return rows


def _ranges(costs: list[Costs]) -> dict[str, tuple[float, float]]:
    return {
        name: (min(cost[name] for cost in costs), max(cost[name] for cost in costs))
        for name in ("params", "flops")
    }
