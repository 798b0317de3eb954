"""Stand-ins for an Optuna trial that pick every parameter themselves."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

KEPT_SHARE = 0.6  # of a parent's parameters that a neighbour keeps
NEIGHBOUR_SCALES = (0.02, 0.1, 0.3)  # standard deviations of a move, as shares of the range

Range = FloatDistribution | IntDistribution


class Suggestions:
    """Picks every parameter at random, and notes names, values and distributions.

    Args:
        rng: Random numbers.
        user_attrs: User attributes of the trial that it replaces.
    """

    def __init__(
        self, rng: np.random.Generator, user_attrs: Mapping[str, Any] | None = None
    ) -> None:
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}
        self.user_attrs = user_attrs or {}
        self._rng = rng

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        return self._pick(name, CategoricalDistribution(tuple(choices)))

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        """An integer in the range."""
        return int(self._pick(name, IntDistribution(low, high, log=log, step=step)))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number in the range."""
        return float(self._pick(name, FloatDistribution(low, high, log=log, step=step)))

    def _pick(self, name: str, distribution: BaseDistribution) -> Any:
        if name not in self.params:
            self.distributions[name] = distribution
            self.params[name] = self._value(name, distribution)
        return self.params[name]

    def _value(self, _name: str, distribution: BaseDistribution) -> Any:
        """A value at random, uniform in the distribution's own scale."""
        if isinstance(distribution, CategoricalDistribution):
            return distribution.choices[self._rng.integers(len(distribution.choices))]
        assert isinstance(distribution, Range)
        return from_unit(distribution, self._rng.random())


class Repeated(Suggestions):
    """Picks the parameters of another configuration, and at random what that one lacks.

    Args:
        parent: The other configuration's parameters.
        rng: Random numbers.
        user_attrs: User attributes of the trial that it replaces.
    """

    def __init__(
        self,
        parent: Mapping[str, Any],
        rng: np.random.Generator,
        user_attrs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(rng, user_attrs)
        self._parent = parent

    def _value(self, name: str, distribution: BaseDistribution) -> Any:
        if name in self._parent:
            value = self._parent[name]
            if distribution._contains(distribution.to_internal_repr(value)):
                return self._moved(distribution, value)
        return super()._value(name, distribution)

    def _moved(self, _distribution: BaseDistribution, value: Any) -> Any:
        return value


class Neighbour(Repeated):
    """Picks a configuration near another one: keeps most values, and moves some numbers a little.

    Args:
        parent: The other configuration's parameters.
        rng: Random numbers.
    """

    def __init__(self, parent: Mapping[str, Any], rng: np.random.Generator) -> None:
        super().__init__(parent, rng)
        self._scale = float(rng.choice(NEIGHBOUR_SCALES))

    def _moved(self, distribution: BaseDistribution, value: Any) -> Any:
        if self._rng.random() < KEPT_SHARE:
            return value
        if isinstance(distribution, Range):
            unit = to_unit(distribution, value) + self._scale * self._rng.normal()
            return from_unit(distribution, unit)
        return Suggestions._value(self, "", distribution)


def to_unit(distribution: Range, value: float) -> float:
    """A value's position in its range, from 0 to 1."""
    low, high = _bounds(distribution)
    if high == low:
        return 0.5
    return ((math.log(value) if distribution.log else value) - low) / (high - low)


def from_unit(distribution: Range, unit: float) -> float | int:
    """The value at a position in its range; a position outside it is clipped."""
    low, high = _bounds(distribution)
    value = low + min(max(unit, 0.0), 1.0) * (high - low)
    value = math.exp(value) if distribution.log else value
    if distribution.step is not None:
        steps = round((value - distribution.low) / distribution.step)
        value = distribution.low + steps * distribution.step
    value = min(max(value, distribution.low), distribution.high)
    return int(value) if isinstance(distribution, IntDistribution) else float(value)


def _bounds(distribution: Range) -> tuple[float, float]:
    """The range in the scale in which it is uniform; an integer owns half a step on each side."""
    low, high = float(distribution.low), float(distribution.high)
    if isinstance(distribution, IntDistribution):
        low, high = low - distribution.step / 2, high + distribution.step / 2
    return (math.log(low), math.log(high)) if distribution.log else (low, high)
