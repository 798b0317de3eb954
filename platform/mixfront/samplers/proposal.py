"""The candidate of the largest expected hypervolume gain, given the trials so far."""

from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
import numpy.typing as npt

from mixfront.samplers.acquisition import FrontLevels, expected_gain
from mixfront.samplers.candidates import Candidate
from mixfront.samplers.features import SpaceColumns
from mixfront.samplers.gaussian_process import Hyperparameters, Posterior
from mixfront.samplers.history import PastTrial

Array = npt.NDArray[np.float64]

FINALISTS = 200  # candidates of the largest gain over the mean front, compared over all draws
DRAWS = 16  # of the latent values at all trials, so of the front
OUTLIER = 1.5  # interquartile ranges below the lower quartile


@dataclass(frozen=True)
class Observations:
    """Values of all trials at all fidelities, larger is better.

    Attributes:
        trials: (n,) index of the trial.
        fidelities: (n,).
        values: (n,).
    """

    trials: npt.NDArray[np.intp]
    fidelities: Array
    values: Array

    @classmethod
    def of_trials(cls, trials: Sequence[PastTrial], sign: float) -> "Observations":
        """Of trials whose values are multiplied by `sign`."""
        found = [
            (i, f, sign * v) for i, trial in enumerate(trials) for f, v in trial.values.items()
        ]
        index, fidelities, values = zip(*found, strict=True)
        return cls(np.array(index), np.array(fidelities), np.array(values))

    @property
    def standard(self) -> float:
        """The median of the values at the highest fidelity."""
        return float(np.median(self.values[self.fidelities == self.fidelities.max()]))


@dataclass(frozen=True)
class Scale:
    """Standardises values. Those far below the others are raised: a front does not need them."""

    floor: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Array) -> "Scale":
        """The scale in which these values have mean 0 and standard deviation 1."""
        low, high = np.quantile(values, [0.25, 0.75])
        floor = float(low - OUTLIER * (high - low))
        raised = np.maximum(values, floor)
        return cls(floor, float(raised.mean()), float(raised.std()) or 1.0)

    def __call__(self, values: Array) -> Array:
        return (np.maximum(values, self.floor) - self.mean) / self.deviation


class ExpectedGain:
    """The expected gain of candidates, averaged over what the front may be.

    Each draw of the latent values at all trials, running ones included, is one possible front; a
    candidate's gain over it is in closed form, given the same draw.

    Args:
        trials: At least one, in the order of the observations.
        observations: Their values.
        columns: Of the space.
        hyperparameters: Of the model, fitted to standardised values.
        reference_value: A value below it adds no hypervolume.
    """

    def __init__(
        self,
        trials: Sequence[PastTrial],
        observations: Observations,
        columns: SpaceColumns,
        hyperparameters: Hyperparameters,
        reference_value: float,
    ) -> None:
        scale = Scale.of(observations.values)
        known = [trial.known for trial in trials]
        observed = columns.rows([known[i] for i in observations.trials], observations.fidelities)
        self._posterior = Posterior(
            hyperparameters, observed, scale(observations.values), columns.rows(known)
        )
        self._columns = columns
        self._costs = np.array([k.costs for k in known])
        self._level = float(scale(np.array([reference_value]))[0])

    @property
    def front(self) -> list[int]:
        """The trials that are not dominated, by the model's means."""
        points = np.column_stack([self._costs, -self._posterior.mean])
        return [int(i) for i in np.flatnonzero(moocore.is_nondominated(points, keep_weakly=True))]

    def best(self, candidates: Sequence[Candidate], rng: np.random.Generator) -> Candidate:
        """The candidate of the largest gain."""
        rows = self._columns.rows([c.known for c in candidates])
        costs = np.array([c.known.costs for c in candidates])
        chosen = np.argsort(-self._gain(self._posterior.mean[None], costs, rows), kind="stable")
        chosen = chosen[:FINALISTS]
        latents = self._posterior.draws(DRAWS, rng)
        gains = self._gain(latents, costs[chosen], rows[chosen])
        return candidates[int(chosen[gains.argmax()])]

    def _gain(self, latents: Array, costs: Array, rows: Array) -> Array:
        means, deviation = self._posterior.given(latents, rows)
        gains = [
            expected_gain(self._levels(latent), costs, mean, deviation)
            for latent, mean in zip(latents, means, strict=True)
        ]
        mean: Array = np.mean(gains, axis=0)
        return mean

    def _levels(self, latent: Array) -> FrontLevels:
        return FrontLevels.of_points(
            self._costs, latent, self._columns.reference_costs, self._level
        )
