"""From the flat configuration of a trial to what a worker is told to train."""

from collections.abc import Mapping
from typing import Any

from mixfront.config_file import validate
from mixfront.exceptions import SpecError
from mixfront.spaces import split_flat
from mixfront.training.config import TrainingConfig


def split_config(flat: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """(family, keys of the family's config, keys of `training:`) of a flat configuration.

    Dotted keys and top-level keys of `training:` ("optimizer.lr", "passes") address training,
    with or without a leading "training."; all others the model.

    Raises:
        SpecError: If it names no family.
    """
    return split_flat(flat)


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
                raise SpecError(f"unknown training key {key!r}: {parent!r} is no part of training")
            inner = inner[parent]
        inner[last] = value
    return validate(TrainingConfig, data, "training", SpecError)
