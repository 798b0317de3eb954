"""Configurations that could be proposed, with everything about them that is known for free."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

KEPT_SHARE = 0.6  # of a parent's parameters that a neighbour keeps
NEIGHBOUR_SCALES = (0.02, 0.1, 0.3)  # standard deviation of a change, as a share of the range


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a configuration's description says without training it.

    Attributes:
        costs: The objectives that are known exactly, in the scale of the hypervolume.
        features: What the surrogate learns from, by name; a number, a string or a truth value.
    """

    costs: tuple[float, ...]
    features: Mapping[str, Any]


class Suggestions:
    """Stands in for an Optuna trial: picks every parameter itself, and notes what it picked."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}
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
        return _uniform(distribution, self._rng)


class Neighbour(Suggestions):
    """A configuration near another one: most parameters are kept, numbers move a little.

    Args:
        parent: The other configuration's parameters.
        rng: Random numbers.
    """

    def __init__(self, parent: Mapping[str, Any], rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._parent = parent
        self._scale = rng.choice(NEIGHBOUR_SCALES)

    def _value(self, name: str, distribution: BaseDistribution) -> Any:
        if name not in self._parent:
            return super()._value(name, distribution)
        value = self._parent[name]
        if not distribution._contains(distribution.to_internal_repr(value)):
            return super()._value(name, distribution)
        if self._rng.random() < KEPT_SHARE:
            return value
        if isinstance(distribution, CategoricalDistribution):
            return super()._value(name, distribution)
        return _from_unit(distribution, _to_unit(distribution, value) + self._scale * self._rng.normal())


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A feasible configuration."""

    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    known: Known


Describe = Callable[[Any], Known | None]


@dataclass
class CandidateSource:
    """Makes feasible candidates.

    Args:
        describe: Suggests a whole configuration on something like an Optuna trial, and says what
            is known about it; None if it is infeasible.
        tries: Attempts per candidate that is asked for.
    """

    describe: Describe
    tries: int = 4
    _known: dict[str, Known | None] = field(default_factory=dict, repr=False)

    def random(self, count: int, rng: np.random.Generator) -> list[Candidate]:
        """Up to `count` candidates from the whole space."""
        return self._collect(count, lambda: Suggestions(rng))

    def near(
        self, parents: Sequence[Mapping[str, Any]], count: int, rng: np.random.Generator
    ) -> list[Candidate]:
        """Up to `count` candidates near parents, which are taken at random."""
        return self._collect(count, lambda: Neighbour(parents[rng.integers(len(parents))], rng))

    def _collect(self, count: int, make: Callable[[], Suggestions]) -> list[Candidate]:
        found: list[Candidate] = []
        for _ in range(count * self.tries):
            if len(found) == count:
                break
            suggestions = make()
            known = self.describe(suggestions)
            if known is not None:
                found.append(
                    Candidate(
                        params=suggestions.params,
                        distributions=suggestions.distributions,
                        known=known,
                    )
                )
        return found


def known_of(describe: Describe, params: Mapping[str, Any]) -> Known | None:
    """What is known about a configuration that was proposed before; None if it is infeasible."""
    return describe(Neighbour(params, _NoChange()))  # type: ignore[arg-type]


class _NoChange:
    """Random numbers with which a neighbour keeps everything."""

    def random(self) -> float:
        return 0.0

    def choice(self, values: Sequence[float]) -> float:
        return values[0]

    def integers(self, _high: int) -> int:
        return 0

    def normal(self) -> float:
        return 0.0

    def uniform(self, low: float, _high: float) -> float:
        return low


def _uniform(distribution: BaseDistribution, rng: np.random.Generator) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[rng.integers(len(distribution.choices))]
    return _from_unit(distribution, rng.random())


def _bounds(distribution: IntDistribution | FloatDistribution) -> tuple[float, float]:
    """The range in the scale in which it is uniform; an integer owns half a step on each side."""
    low, high = float(distribution.low), float(distribution.high)
    if isinstance(distribution, IntDistribution):
        low, high = low - distribution.step / 2, high + distribution.step / 2
    return (math.log(low), math.log(high)) if distribution.log else (low, high)


def _to_unit(distribution: Any, value: float) -> float:
    low, high = _bounds(distribution)
    return ((math.log(value) if distribution.log else value) - low) / (high - low) if high > low else 0.5


def _from_unit(distribution: Any, unit: float) -> float | int:
    low, high = _bounds(distribution)
    value = low + min(max(unit, 0.0), 1.0) * (high - low)
    value = math.exp(value) if distribution.log else value
    if distribution.step is not None:
        value = distribution.low + round((value - distribution.low) / distribution.step) * distribution.step
    value = min(max(value, distribution.low), distribution.high)
    return int(value) if isinstance(distribution, IntDistribution) else float(value)
