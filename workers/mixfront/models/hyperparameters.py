"""A family's keys as data: default, valid range, and what each means."""

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from mixfront.models.registry import get_family


@dataclass(frozen=True, kw_only=True)
class Hyperparameter:
    """One key of a family.

    Attributes:
        default: Value where none is given.
        range: `{"choices": [...]}`, or bounds: `min` and `max` are allowed values themselves,
            `above` and `below` are not.
        help: What it is.
    """

    default: Any
    range: dict[str, Any]
    help: str

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {"default": self.default, "range": self.range, "help": self.help}

    def range_text(self) -> str:
        """The range for people, such as `1 to 64` or `above 0, at most 10`."""
        bounds = self.range
        if "choices" in bounds:
            return " | ".join(str(choice).lower() for choice in bounds["choices"])
        if bounds.keys() == {"min", "max"}:
            return f"{bounds['min']:g} to {bounds['max']:g}"
        words = {"min": "at least", "above": "above", "max": "at most", "below": "below"}
        return ", ".join(f"{words[key]} {value:g}" for key, value in bounds.items())


def hyperparameters(family: str) -> dict[str, Hyperparameter]:
    """Every key of a family, in the order of its config.

    Raises:
        UnknownNameError: If the family is not known.
    """
    return {key: _describe(info) for key, info in get_family(family).config.model_fields.items()}


def _describe(info: FieldInfo) -> Hyperparameter:
    default = list(info.default) if isinstance(info.default, tuple) else info.default
    return Hyperparameter(default=default, range=_range(info), help=info.description or "")


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
    """Of a list-like key the items' bounds count."""
    items = get_args(annotation)
    fields = getattr(items[0], "__metadata__", ()) if items else ()
    return [constraint for info in fields for constraint in info.metadata]


def _bounds(metadata: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for constraint in metadata:
        match constraint:
            case Ge():
                found["min"] = constraint.ge
            case Gt():
                found["above"] = constraint.gt
            case Le():
                found["max"] = constraint.le
            case Lt():
                found["below"] = constraint.lt
    return found
