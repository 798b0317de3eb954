"""What a configuration costs, before a lane is asked for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models import count_cost, make_config
from mixfront.spaces import split_flat
from mixfront.spec.search_spec import SearchSpec
from mixfront.spec.training_overrides import training_of
from mixfront.training.config import TrainingConfig

BATCH_OF_TABLES = 2048  # the papers' tables give FLOPs for this many samples
ACTIVATIONS = "activation_mb"  # takes a forward to count, so it is counted where it is asked for

Costs = dict[str, float]
CostCheck = Callable[[Mapping[str, Any]], Costs]


@dataclass(frozen=True)
class ModelCosts:
    """Counts costs of flat configurations; each model once.

    Args:
        training: Base that a configuration's training keys override; checked, not counted.
        layout: Of the encoded data; without it, a tokenizer fed with chunks of token width.
        activations: Count `activation_mb` too, 0.1 s for a UniMixer instead of milliseconds.
    """

    training: TrainingConfig
    layout: FeatureLayout | None = None
    activations: bool = False
    _known: dict[str, Costs] = field(default_factory=dict, repr=False)

    @classmethod
    def of_spec(cls, spec: SearchSpec, layout: FeatureLayout | None = None) -> "ModelCosts":
        """What a search needs: activations only if it constrains or optimises them."""
        return cls(spec.training, layout, ACTIVATIONS in spec.asked_metrics())

    def __call__(self, flat: Mapping[str, Any]) -> Costs:
        """params, params_total, flops, flops_per_sample, and activation_mb where it is asked for.

        Raises:
            SpecError: If it cannot be built.
        """
        family, model, overrides = split_flat(flat)
        training_of(self.training, overrides)
        key = json.dumps([family, model], sort_keys=True)
        if key not in self._known:
            self._known[key] = self._count(family, model)
        return dict(self._known[key])

    def _count(self, family: str, model: dict[str, Any]) -> Costs:
        config = make_config(family, model)
        cost = count_cost(
            family,
            config,
            batch_size=BATCH_OF_TABLES,
            layout=self.layout,
            checked=False,
            activations=self.activations,
        )
        return {name: float(value) for name, value in cost.metrics().items()}


def costs_if_buildable(costs: CostCheck, flat: Mapping[str, Any]) -> Costs | None:
    """The costs, or None if the configuration cannot be built."""
    try:
        return costs(flat)
    except SpecError:
        return None
