"""A configuration's overrides of the spec's `training:` section."""

from collections.abc import Mapping
from typing import Any

from mixfront.config_file import validate
from mixfront.exceptions import SpecError, nearest
from mixfront.training.config import TrainingConfig


def override_training(base: TrainingConfig, overrides: Mapping[str, Any]) -> TrainingConfig:
    """Apply a configuration's dotted training keys to the spec's training.

    Raises:
        SpecError: If a key is unknown or a value is out of range.
    """
    data = base.model_dump()
    for key, value in overrides.items():
        *parents, last = key.split(".")
        inner = data
        for parent in parents:
            if not isinstance(inner.get(parent), dict):
                raise SpecError(f"unknown training key {key!r}: {nearest(parent, inner)}")
            inner = inner[parent]
        inner[last] = value
    return validate(TrainingConfig, data, "training", SpecError)
