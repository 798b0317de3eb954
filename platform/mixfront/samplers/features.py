"""Numbers for the surrogate, from the named features of conditional configurations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LOG_FROM = 8.0  # positive features whose largest is this many times the smallest are logarithmic
ABSENT = 0.5  # of a feature that a configuration's family does not have


@dataclass(frozen=True)
class _Number:
    name: str
    low: float
    high: float
    log: bool

    def column(self, features: Mapping[str, Any]) -> float:
        value = features.get(self.name)
        if value is None:
            return ABSENT
        number = math.log(max(value, 1e-300)) if self.log else float(value)
        return (number - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class _Category:
    name: str
    value: Any

    def column(self, features: Mapping[str, Any]) -> float:
        return float(features.get(self.name) == self.value)


@dataclass(frozen=True)
class FeatureColumns:
    """Columns between 0 and 1: numbers by their range, other values one column each."""

    columns: tuple[_Number | _Category, ...]

    @classmethod
    def of_space(cls, examples: Sequence[Mapping[str, Any]]) -> "FeatureColumns":
        """The columns of a space, from many of its configurations; constants have none."""
        names = dict.fromkeys(name for features in examples for name in features)
        columns: list[_Number | _Category] = []
        for name in names:
            values = [features[name] for features in examples if name in features]
            columns += _columns_of(name, values)
        return cls(tuple(columns))

    def rows(self, configurations: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
        """(n, columns)."""
        rows = [[column.column(c) for column in self.columns] for c in configurations]
        return np.asarray(rows, dtype=float).reshape(len(configurations), len(self.columns))


def _columns_of(name: str, values: Sequence[Any]) -> list[_Number | _Category]:
    distinct = list(dict.fromkeys(values))
    if len(distinct) < 2:
        return []
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in distinct):
        shown = distinct[1:] if len(distinct) == 2 else distinct
        return [_Category(name, value) for value in shown]
    low, high = min(distinct), max(distinct)
    log = low > 0 and high / low >= LOG_FROM
    return [_Number(name, math.log(low), math.log(high), log=True) if log else _Number(name, low, high, log=False)]
