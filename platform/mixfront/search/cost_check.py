"""Counts a configuration's costs before it gets a lane."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models import count_cost, make_config
from mixfront.spaces import split_flat
from mixfront.spec.search_spec import SearchSpec
from mixfront.spec.training_overrides import override_training
from mixfront.training.config import TrainingConfig

BATCH_SIZE = 2048  # the papers report FLOPs for this many samples
ACTIVATIONS = "activation_mb"  # needs a forward pass to count, so only counted when used

Costs = dict[str, float]
CostCheck = Callable[[Mapping[str, Any]], Costs]


@dataclass(frozen=True)
class ModelCosts:
    """Counts the costs of flat configurations, once per model.

    Args:
        training: Training settings that the configuration's keys override; only validated.
        layout: Layout of the encoded data; without it, a tokenizer with chunks of token width.
        activations: Also count `activation_mb`: 0.1 s for a UniMixer instead of milliseconds.
    """

    training: TrainingConfig
    layout: FeatureLayout | None = None
    activations: bool = False
    _cache: dict[str, Costs] = field(default_factory=dict, repr=False)

    @classmethod
    def of_spec(cls, spec: SearchSpec, layout: FeatureLayout | None = None) -> "ModelCosts":
        """The counter for a search, with activations only if it constrains or optimises them."""
        return cls(spec.training, layout, ACTIVATIONS in spec.used_metrics())

    def __call__(self, flat: Mapping[str, Any]) -> Costs:
        """Count params, params_total, flops, flops_per_sample and, if used, activation_mb.

        Raises:
            SpecError: If the model cannot be built.
        """
        family, model, overrides = split_flat(flat)
        override_training(self.training, overrides)
        key = json.dumps([family, model], sort_keys=True)
        if key not in self._cache:
            self._cache[key] = self._count(family, model)
        return dict(self._cache[key])

    def _count(self, family: str, model: dict[str, Any]) -> Costs:
        config = make_config(family, model)
        cost = count_cost(
            family,
            config,
            batch_size=BATCH_SIZE,
            layout=self.layout,
            checked=False,
            activations=self.activations,
        )
        return {name: float(value) for name, value in cost.metrics().items()}


def costs_if_buildable(costs: CostCheck, flat: Mapping[str, Any]) -> Costs | None:
    """The costs of a configuration, or None if it cannot be built."""
    try:
        return costs(flat)
    except SpecError:
        return None
