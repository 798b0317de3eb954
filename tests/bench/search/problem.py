"""What samplers are compared on: one uncertain value, one cost that is known before training."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mixfront.samplers.candidates import Known

Floats = npt.NDArray[np.float64]

SWEEP = 1_000_000  # random configurations, for the reference point and the largest hypervolume


@dataclass(frozen=True)
class Outcome:
    """A trained configuration."""

    value: float  # to maximise
    cost: float  # log10, to minimise
    seconds: float  # of training


class Problem(ABC):
    """A search space with a simulator of its training."""

    name: str

    @abstractmethod
    def suggest(self, trial: Any) -> Floats:
        """Suggest a configuration (parameters,)."""

    @abstractmethod
    def known(self, configuration: Floats) -> Known:
        """What is known of it before training."""

    @abstractmethod
    def train(self, configurations: Floats) -> tuple[Floats, Floats]:
        """Values and seconds of training, both (n,), of configurations (n, parameters)."""

    @abstractmethod
    def sample(self, count: int, rng: np.random.Generator) -> Floats:
        """Random configurations, (count, parameters)."""

    def describe(self, trial: Any) -> Known:
        """What `ExactCostSampler` asks for."""
        return self.known(self.suggest(trial))

    def run(self, configuration: Floats) -> Outcome:
        """Train one configuration."""
        values, seconds = self.train(configuration[None])
        [cost] = self.known(configuration).costs
        return Outcome(float(values[0]), cost, float(seconds[0]))


@dataclass(frozen=True)
class Yardstick:
    """What a hypervolume is measured by.

    Attributes:
        cost: The largest cost of the sweep.
        value: The median value of the sweep.
        largest: Hypervolume of the whole sweep.
    """

    cost: float
    value: float
    largest: float

    @classmethod
    def of(cls, problem: Problem, size: int = SWEEP) -> "Yardstick":
        """From a sweep of random configurations."""
        swept = problem.sample(size, np.random.default_rng(0))
        values, _ = problem.train(swept)
        costs = np.array([problem.known(row).costs[0] for row in swept])
        cost, value = float(costs.max()), float(np.median(values))
        return cls(cost, value, hypervolume(costs, values, cost, value))

    def share(self, costs: Floats, values: Floats) -> float:
        """Hypervolume of a set, as a share of the sweep's, which a search can exceed."""
        return hypervolume(costs, values, self.cost, self.value) / self.largest


def hypervolume(
    costs: Floats, values: Floats, reference_cost: float, reference_value: float
) -> float:
    """Area between the reference point and the best value at every cost."""
    order = np.argsort(costs, kind="stable")
    best = np.maximum.accumulate(np.maximum(values[order], reference_value))
    widths = np.diff(np.minimum(np.append(costs[order], reference_cost), reference_cost))
    return float(np.dot(widths, best - reference_value))
