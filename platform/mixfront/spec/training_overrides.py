"""A trial's own values of `training:`, on top of the spec's."""

from collections.abc import Mapping
from typing import Any

from mixfront.config_file import validate
from mixfront.exceptions import SpecError
from mixfront.training.config import TrainingConfig


def training_of(base: TrainingConfig, overrides: Mapping[str, Any]) -> TrainingConfig:
    """The spec's training with a configuration's dotted overrides.

    Raises:
        SpecError: If a key is unknown or a value out of range.
    """
    data = base.model_dump()
    for key, value in overrides.items():
        *parents, last = key.split(".")
        inner = data
        for parent in parents:
            if not isinstance(inner.get(parent), dict):
                raise SpecError(
                    f"unknown training key {key!r}: {parent!r} is not a part of training"
                )
            inner = inner[parent]
        inner[last] = value
    return validate(TrainingConfig, data, "training", SpecError)
