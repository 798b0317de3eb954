"""Keys of a flat configuration: which belong to the model, and which to training."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from mixfront.exceptions import SpecError, nearest
from mixfront.models import get_family
from mixfront.training.config import TrainingConfig

FAMILY = "family"
TRAINING_PREFIX = "training."


def training_keys() -> frozenset[str]:
    """Every key of the `training:` section, nested ones dotted: "passes", "optimizer.lr"."""
    return frozenset(_dotted(TrainingConfig))


def is_training_key(key: str) -> bool:
    """Whether a flat key belongs to training: dotted, or a top-level training key."""
    return "." in key or key in TrainingConfig.model_fields


def check_key(key: str, family: str, source: str) -> None:
    """Check that the family or training has a key.

    Raises:
        SpecError: If neither has it; the message names the closest key.
        UnknownNameError: If there is no such family.
    """
    model_keys = get_family(family).config.model_fields
    keys = training_keys()
    if key.removeprefix(TRAINING_PREFIX) in keys or key in model_keys:
        return
    candidates = sorted(keys) if "." in key else [*sorted(model_keys), *sorted(keys)]
    raise SpecError(
        f"{source}: unknown key {key!r} of family {family!r}: {nearest(key, candidates)}"
    )


def split_flat(flat: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Split a flat configuration into (family, model configuration, training overrides).

    Raises:
        SpecError: If it has no family.
    """
    if not isinstance(flat.get(FAMILY), str):
        raise SpecError(f"the configuration {dict(flat)!r} has no family; add `family: NAME`")
    rest = {key: value for key, value in flat.items() if key != FAMILY}
    training = {k.removeprefix(TRAINING_PREFIX): v for k, v in rest.items() if is_training_key(k)}
    model = {key: value for key, value in rest.items() if not is_training_key(key)}
    return flat[FAMILY], model, training


def _dotted(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _dotted(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
