"""Numbers between 0 and 1 for the model, from named features of conditional configurations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mixfront.samplers.candidates import Known

Array = npt.NDArray[np.float64]

ABSENT = 0.5  # for a feature that a configuration's family does not have
MARGIN = 0.05  # of the range of a cost
HALVINGS = 5.0  # the fidelity's column is 1 at full fidelity and 0 at 1/32


@dataclass(frozen=True)
class Number:
    """A numeric feature, by its range, in the scale in which the space spreads it evenly."""

    name: str
    low: float
    high: float
    log: bool

    def value(self, features: Mapping[str, Any]) -> float:
        """The feature's position in its range, from 0 to 1."""
        feature = features.get(self.name)
        if feature is None:
            return ABSENT
        return _place(float(feature), self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Category:
    """One value of a feature that is not a number."""

    name: str
    choice: Any

    def value(self, features: Mapping[str, Any]) -> float:
        """1 if the feature has this value."""
        return float(features.get(self.name) == self.choice)


@dataclass(frozen=True)
class SpaceColumns:
    """The columns of a space: its features, its costs, and the fidelity.

    Attributes:
        features: Numbers by their range, other features one column per value.
        cheapest: Smallest costs in the space.
        dearest: Largest ones.
    """

    features: tuple[Number | Category, ...]
    cheapest: Array
    dearest: Array

    @classmethod
    def of_space(cls, examples: Sequence[Known]) -> "SpaceColumns":
        """From many configurations; features that are constant have no column."""
        names = dict.fromkeys(name for known in examples for name in known.features)
        columns = (
            column
            for name in names
            for column in _columns(
                name, [k.features[name] for k in examples if name in k.features]
            )
        )
        costs = np.array([known.costs for known in examples])
        return cls(tuple(columns), costs.min(axis=0), costs.max(axis=0))

    @property
    def reference_costs(self) -> Array:
        """Costs beyond the largest ones, so that those add hypervolume too."""
        return self.dearest + MARGIN * self._span

    @property
    def _span(self) -> Array:
        return np.where(self.dearest > self.cheapest, self.dearest - self.cheapest, 1.0)

    def rows(self, known: Sequence[Known], fidelities: Array | None = None) -> Array:
        """Rows of configurations, (n, columns).

        Args:
            known: The configurations.
            fidelities: One per configuration; full fidelity if None.
        """
        shares = np.ones(len(known)) if fidelities is None else fidelities
        features = [[column.value(k.features) for column in self.features] for k in known]
        costs = np.array([k.costs for k in known]).reshape(len(known), len(self.cheapest))
        return np.column_stack(
            [
                np.array(features).reshape(len(known), len(self.features)),
                (costs - self.cheapest) / self._span,
                np.clip(1.0 + np.log2(shares) / HALVINGS, 0.0, 1.0),
            ]
        )


def _columns(name: str, values: Sequence[Any]) -> list[Number | Category]:
    distinct = list(dict.fromkeys(values))
    if len(distinct) == 1:
        return []
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in distinct):
        return [Category(name, value) for value in distinct[len(distinct) == 2 :]]
    low, high = float(min(distinct)), float(max(distinct))
    median = float(np.median(values))
    log = low > 0 and abs(_place(median, low, high, log=True) - 0.5) < abs(
        _place(median, low, high, log=False) - 0.5
    )
    return [Number(name, low, high, log)]


def _place(value: float, low: float, high: float, *, log: bool) -> float:
    """A value's position between low and high, from 0 to 1."""
    value = min(max(value, low), high)
    if log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)
