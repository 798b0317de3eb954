"""A family's hyperparameters as data: default and its origin, valid range and description."""

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from mixfront.models.origins import Origin, default_origin
from mixfront.models.registry import get_family


@dataclass(frozen=True, kw_only=True)
class Hyperparameter:
    """One hyperparameter of a family.

    Attributes:
        default: Default value.
        default_from: Where the default comes from, see `mixfront.models.origins`; None if the
            family does not say.
        range: `{"choices": [...]}`, or bounds: `min` and `max` are inclusive, `above` and `below`
            exclusive.
        help: Description.
    """

    default: Any
    default_from: Origin | None
    range: dict[str, Any]
    help: str

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `mixfront families --json` prints it."""
        return {
            "default": self.default,
            "default_from": self.default_from,
            "range": self.range,
            "help": self.help,
        }

    def range_text(self) -> str:
        """The range in words, such as `1 to 64` or `above 0, at most 10`."""
        bounds = self.range
        if "choices" in bounds:
            return " | ".join(str(choice).lower() for choice in bounds["choices"])
        if bounds.keys() == {"min", "max"}:
            return f"{bounds['min']:g} to {bounds['max']:g}"
        words = {"min": "at least", "above": "above", "max": "at most", "below": "below"}
        return ", ".join(f"{words[key]} {value:g}" for key, value in bounds.items())


def hyperparameters(family: str) -> dict[str, Hyperparameter]:
    """Every hyperparameter of a family by its key, in the order of the config.

    Raises:
        UnknownNameError: If there is no such family.
    """
    config = get_family(family).config
    return {
        key: _describe(info, default_origin(config, key))
        for key, info in config.model_fields.items()
    }


def _describe(info: FieldInfo, origin: Origin | None) -> Hyperparameter:
    default = list(info.default) if isinstance(info.default, tuple) else info.default
    return Hyperparameter(
        default=default,
        default_from=origin,
        range=_range(info),
        help=info.description or "",
    )


def _range(info: FieldInfo) -> dict[str, Any]:
    if info.annotation is bool:
        return {"choices": [False, True]}
    if get_origin(info.annotation) is Literal:
        return {"choices": list(get_args(info.annotation))}
    items = get_args(info.annotation)
    if items and get_origin(items[0]) is Literal:  # a list of names
        return {"choices": list(get_args(items[0]))}
    return _bounds([*info.metadata, *_item_metadata(info.annotation)])


def _item_metadata(annotation: Any) -> list[Any]:
    """The bounds of a list's items."""
    items = get_args(annotation)
    fields = getattr(items[0], "__metadata__", ()) if items else ()
    return [constraint for info in fields for constraint in info.metadata]


def _bounds(metadata: list[Any]) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    for constraint in metadata:
        match constraint:
            case Ge():
                bounds["min"] = constraint.ge
            case Gt():
                bounds["above"] = constraint.gt
            case Le():
                bounds["max"] = constraint.le
            case Lt():
                bounds["below"] = constraint.lt
    return bounds
