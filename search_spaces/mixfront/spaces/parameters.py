"""The kinds of parameter that a space file may hold, and what each may be."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Value = bool | int | float | str | None | tuple[int, ...]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fixed(_Frozen):
    """One value, never searched; a bare scalar in a space file means this."""

    kind: Literal["fixed"] = "fixed"
    value: Value


class Choice(_Frozen):
    """One of several values.

    `divides` and `multiple_of` name earlier parameters: only values that divide their product
    (or are a multiple of it) are on offer, so that what is sampled can be built. `only_with`
    holds, for some of the values, what earlier parameters must be for that value to be on offer:
    `{64: {global_pattern: [low_rank, factored]}}`.
    """

    kind: Literal["choice"] = "choice"
    values: tuple[Value, ...] = Field(min_length=1)
    divides: tuple[str, ...] = ()
    multiple_of: tuple[str, ...] = ()
    only_with: dict[Value, dict[str, tuple[Value, ...]]] = {}

    @model_validator(mode="after")
    def _check(self) -> "Choice":
        if len(set(self.values)) < len(self.values):
            raise ValueError("a value stands twice")
        arithmetic = self.divides + self.multiple_of
        if arithmetic and not all(type(v) is int and v > 0 for v in self.values):
            raise ValueError("`divides` and `multiple_of` go with positive integers only")
        if strangers := [value for value in self.only_with if value not in self.values]:
            raise ValueError(f"`only_with` speaks of {strangers[0]!r}, which is no value")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        """Parameters that must be known before this one."""
        conditions = (key for condition in self.only_with.values() for key in condition)
        return tuple(dict.fromkeys((*self.divides, *self.multiple_of, *conditions)))

    def narrowed(self, config: Mapping[str, Any]) -> "Choice | None":
        """Only the values that suit the parameters chosen so far; None if none does."""
        if any(key not in config for key in self.needs):
            return self
        values = tuple(value for value in self.values if self._suits(value, config))
        return self.model_copy(update={"values": values}) if values else None

    def _suits(self, value: Any, config: Mapping[str, Any]) -> bool:
        conditions = self.only_with.get(value, {})
        if any(config[key] not in allowed for key, allowed in conditions.items()):
            return False
        if self.divides and math.prod(config[key] for key in self.divides) % value:
            return False
        return not (self.multiple_of and value % math.prod(config[k] for k in self.multiple_of))


class Int(_Frozen):
    """An integer from `low` to `high`, both included."""

    kind: Literal["int"] = "int"
    low: int
    high: int
    step: int = Field(1, ge=1)
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> "Int":
        _check_range(self.low, self.high, self.log)
        if self.log and self.step != 1:
            raise ValueError("`log` and `step` exclude each other")
        if (self.high - self.low) % self.step:
            raise ValueError(f"no number of steps of {self.step} leads from low to high")
        return self


class Float(_Frozen):
    """A number from `low` to `high`."""

    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> "Float":
        _check_range(self.low, self.high, self.log)
        return self


def _check_range(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError(f"low {low} is above high {high}")
    if log and low <= 0:
        raise ValueError(f"low {low} must be above 0 where `log` is on")


def _bare_is_fixed(data: Any) -> Any:
    return data if isinstance(data, dict | BaseModel) else {"kind": "fixed", "value": data}


Parameter = Annotated[
    Annotated[Fixed | Choice | Int | Float, Field(discriminator="kind")],
    BeforeValidator(_bare_is_fixed),
]


def contains(parameter: Fixed | Choice | Int | Float, value: Any) -> bool:
    """Whether a search of `parameter` could come upon `value`."""
    if isinstance(parameter, Fixed):
        return bool(parameter.value == value)
    if isinstance(parameter, Choice):
        return value in parameter.values
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    off_grid = isinstance(parameter, Int) and (value - parameter.low) % parameter.step != 0
    return not off_grid and bool(parameter.low <= value <= parameter.high)


def describe(parameter: Fixed | Choice | Int | Float) -> str:
    """What a parameter may be, for a sentence."""
    if isinstance(parameter, Fixed):
        return f"only {parameter.value!r}"
    if isinstance(parameter, Choice):
        return "one of " + ", ".join(repr(value) for value in parameter.values)
    return f"{parameter.low} to {parameter.high}"
