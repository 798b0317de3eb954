"""The kinds of parameters in a space file, and the values that each allows."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Value = bool | int | float | str | None | tuple[int, ...]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fixed(_Frozen):
    """One value that is not searched; a bare scalar in a space file means this."""

    kind: Literal["fixed"] = "fixed"
    value: Value


class Choice(_Frozen):
    """One of several values.

    `divides` and `multiple_of` name earlier parameters: only values that divide their product
    (or are a multiple of it) are allowed, so that every sampled model can be built. `only_with`
    restricts individual values to certain values of earlier parameters:
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
            raise ValueError("a value appears twice; list each value once")
        if self.factors and not is_positive_integer(self):
            raise ValueError("`divides` and `multiple_of` need values that are positive integers")
        if extra := [value for value in self.only_with if value not in self.values]:
            raise ValueError(f"`only_with` names {extra[0]!r}, which is not one of the values")
        return self

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the parameters whose product limits this one."""
        return self.divides + self.multiple_of

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the parameters that must be sampled before this one."""
        conditions = (key for condition in self.only_with.values() for key in condition)
        return tuple(dict.fromkeys((*self.factors, *conditions)))

    def narrowed(self, config: Mapping[str, Any]) -> "Choice | None":
        """The choice with only the values that earlier parameters allow; None if none are left."""
        if any(key not in config for key in self.needs):
            return self
        values = tuple(value for value in self.values if self._allows(value, config))
        return self.model_copy(update={"values": values}) if values else None

    def _allows(self, value: Any, config: Mapping[str, Any]) -> bool:
        conditions = self.only_with.get(value, {})
        if any(config[key] not in allowed for key, allowed in conditions.items()):
            return False
        if self.divides and math.prod(config[key] for key in self.divides) % value:
            return False
        return not (self.multiple_of and value % math.prod(config[k] for k in self.multiple_of))


class Int(_Frozen):
    """An integer from `low` to `high`, inclusive."""

    kind: Literal["int"] = "int"
    low: int
    high: int
    step: int = Field(1, ge=1)
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> "Int":
        _check_range(self.low, self.high, self.log)
        if self.log and self.step != 1:
            raise ValueError("`log` and `step` cannot be combined; remove one of them")
        if (self.high - self.low) % self.step:
            raise ValueError(f"high - low must be a multiple of step {self.step}")
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
        raise ValueError(f"low {low} is greater than high {high}; swap them")
    if log and low <= 0:
        raise ValueError(f"low {low} must be greater than 0 with `log: true`")


def _bare_is_fixed(data: Any) -> Any:
    return data if isinstance(data, dict | BaseModel) else {"kind": "fixed", "value": data}


Parameter = Annotated[
    Annotated[Fixed | Choice | Int | Float, Field(discriminator="kind")],
    BeforeValidator(_bare_is_fixed),
]


def contains(parameter: Fixed | Choice | Int | Float, value: Any) -> bool:
    """Whether `parameter` allows `value`."""
    if isinstance(parameter, Fixed):
        return bool(parameter.value == value)
    if isinstance(parameter, Choice):
        return value in parameter.values
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    off_grid = isinstance(parameter, Int) and (value - parameter.low) % parameter.step != 0
    return not off_grid and bool(parameter.low <= value <= parameter.high)


def is_positive_integer(parameter: Fixed | Choice | Int | Float) -> bool:
    """Whether every value that `parameter` allows is an integer greater than 0."""
    if isinstance(parameter, Int):
        return parameter.low > 0
    if isinstance(parameter, Float):
        return False
    values = parameter.values if isinstance(parameter, Choice) else (parameter.value,)
    return all(type(value) is int and value > 0 for value in values)


def describe(parameter: Fixed | Choice | Int | Float) -> str:
    """The values that a parameter allows, for an error message."""
    if isinstance(parameter, Fixed):
        return f"only {parameter.value!r}"
    if isinstance(parameter, Choice):
        return "one of " + ", ".join(repr(value) for value in parameter.values)
    return f"{parameter.low} to {parameter.high}"
