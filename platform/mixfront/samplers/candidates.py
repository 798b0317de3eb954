"""Configurations that could be proposed, with everything about them that is known for free."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from mixfront.samplers.suggestions import Neighbour, Suggestions

TRIES = 4  # configurations that are drawn per candidate, in case they are infeasible


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known about a configuration before it is trained.

    Attributes:
        costs: The objectives that are known exactly, in the scale of the hypervolume (log10).
        features: What the model of the value learns from: numbers, strings and truth values.
    """

    costs: tuple[float, ...]
    features: Mapping[str, Any]


Describe = Callable[[Any], Known | None]
"""Suggests a whole configuration on an Optuna trial, or on something with its `suggest_` methods
and `user_attrs`, and returns what is known about it; None if it is infeasible."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A feasible configuration."""

    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    known: Known


@dataclass(frozen=True)
class CandidateSource:
    """Makes feasible candidates, fewer than asked for if most configurations are infeasible."""

    describe: Describe

    def anywhere(self, count: int, rng: np.random.Generator) -> list[Candidate]:
        """Candidates from the whole space."""
        return self._collect(count, lambda: Suggestions(rng))

    def near(
        self, parents: Sequence[Mapping[str, Any]], count: int, rng: np.random.Generator
    ) -> list[Candidate]:
        """Candidates near parents, each near one of them at random."""
        return self._collect(
            count, lambda: Neighbour(parents[int(rng.integers(len(parents)))], rng)
        )

    def _collect(self, count: int, draw: Callable[[], Suggestions]) -> list[Candidate]:
        found: list[Candidate] = []
        for _ in range(TRIES * count):
            if len(found) == count:
                break
            drawn = draw()
            known = self.describe(drawn)
            if known is not None:
                candidate = Candidate(
                    params=drawn.params, distributions=drawn.distributions, known=known
                )
                found.append(candidate)
        return found
