"""The sampler `mixfront` of a search: what is known about a configuration before training."""

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from mixfront.exceptions import SpecError
from mixfront.samplers.candidates import Describe, Known
from mixfront.samplers.exact_cost_sampler import ExactCostSampler
from mixfront.samplers.history import ValuesByFidelity
from mixfront.search.cost_check import CostCheck, Costs
from mixfront.search.study import EXTRA, RUNG
from mixfront.spaces import Space
from mixfront.spec.search_spec import SearchSpec


def exact_cost_sampler(spec: SearchSpec, space: Space, costs: CostCheck) -> ExactCostSampler:
    """The sampler of a search with one objective that needs training."""
    [uncertain] = [i for i, o in enumerate(spec.objectives) if not o.before_training]
    objective = spec.objectives[uncertain]
    return ExactCostSampler(
        describe_for(spec, space, costs),
        uncertain=uncertain,
        startup_trials=spec.search.startup_trials,
        reference_value=spec.reference_point.get(objective.metric),
        values=_values_at_rungs(objective.metric, uncertain),
        seed=spec.search.seed,
    )


def describe_for(spec: SearchSpec, space: Space, costs: CostCheck) -> Describe:
    """Says what a configuration of the space costs, unless it cannot be built or costs too much.

    A search without costs among its objectives has a constant one.
    """
    exact = [objective for objective in spec.objectives if objective.before_training]

    def describe(trial: Any) -> Known | None:
        try:
            config = space.suggest(trial) | trial.user_attrs.get(EXTRA, {})
            counted = costs(config)
        except SpecError:
            return None
        if _costs_too_much(spec, counted):
            return None
        values = tuple(o.minimised(o.scaled(counted[o.metric])) for o in exact)
        return Known(costs=values or (0.0,), features=_features(config))

    return describe


def _costs_too_much(spec: SearchSpec, counted: Costs) -> bool:
    counts = [c for c in spec.constraints.values() if c.before_training and c.metric in counted]
    return any(c.violation(counted[c.metric]) > 0 for c in counts)


def _features(config: Mapping[str, Any]) -> dict[str, Any]:
    is_scalar = {key: isinstance(value, str | int | float) for key, value in config.items()}
    return {key: value if is_scalar[key] else repr(value) for key, value in config.items()}


def _values_at_rungs(metric: str, index: int) -> ValuesByFidelity:
    def values(trial: FrozenTrial) -> dict[float, float]:
        reached = {
            float(key.removeprefix(RUNG)): values[metric]
            for key, values in trial.user_attrs.items()
            if key.startswith(RUNG)
        }
        if trial.state is TrialState.COMPLETE:
            reached[1.0] = trial.values[index]
        return reached

    return values
