"""A Gaussian process of the value, over the configuration and its costs."""

import warnings
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, cholesky
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel

Array = npt.NDArray[np.float64]

JITTER = 1e-6  # of the latent values' variance, so that nearly equal points stay invertible
OUTLIER = 1.5  # interquartile ranges below the lower quartile


@dataclass(frozen=True)
class Hyperparameters:
    """A fitted kernel of the latent value, and the variance of its noise."""

    latent: Kernel
    noise: float


@dataclass(frozen=True)
class Scale:
    """Values far below the others are raised, as a front does not depend on how bad they are."""

    floor: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Array) -> "Scale":
        """The scale of some values."""
        low, high = np.quantile(values, [0.25, 0.75])
        floor = float(min(low - OUTLIER * (high - low), values.max()))
        clipped = np.maximum(values, floor)
        return cls(floor, float(clipped.mean()), float(clipped.std()) or 1.0)

    def standardised(self, values: Array) -> Array:
        """Mean 0 and standard deviation 1."""
        return (np.maximum(values, self.floor) - self.mean) / self.deviation


def fit(rows: Array, targets: Array) -> Hyperparameters:
    """Fit the kernel's length scales, amplitude and noise by maximum likelihood.

    Args:
        rows: (n, columns), between 0 and 1.
        targets: (n,), standardised.
    """
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(
        np.full(rows.shape[1], 0.5), (0.05, 20.0), nu=2.5
    ) + WhiteKernel(1e-2, (1e-5, 1.0))
    process = GaussianProcessRegressor(kernel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound is fine
        process.fit(rows, targets)
    return Hyperparameters(process.kernel_.k1, float(process.kernel_.k2.noise_level))


@dataclass
class Posterior:
    """The latent values, given noisy observations.

    Args:
        hyperparameters: Of the kernel.
        observed: Rows (n, columns).
        targets: (n,), standardised.
        pending: Rows (p, columns) of trials without a result.
    """

    hyperparameters: Hyperparameters
    observed: Array
    targets: Array
    pending: Array
    _rows: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rows = np.vstack([self.observed, self.pending])
        kernel = self.hyperparameters.latent
        self._prior = kernel(self._rows)
        self._jitter = JITTER * float(np.diag(self._prior).mean())
        n = len(self.observed)
        noisy = self._prior[:n, :n] + (self.hyperparameters.noise + self._jitter) * np.eye(n)
        gain = cho_solve(cho_factor(noisy, lower=True), self._prior[:n]).T
        self.mean = gain @ self.targets
        self._covariance = self._prior - gain @ self._prior[:n]

    def draws(self, count: int, rng: np.random.Generator) -> Array:
        """Joint draws of the latent values of observed and pending rows, (count, n + p)."""
        size = len(self._rows)
        root = cholesky(self._covariance + 2 * self._jitter * np.eye(size), lower=True)
        return self.mean + rng.normal(size=(count, size)) @ root.T

    def given(self, latent: Array, candidates: Array) -> tuple[Array, Array]:
        """Candidates' means (draws, m) and standard deviation (m,), given latent values.

        Args:
            latent: (draws, n + p).
            candidates: Rows (m, columns).
        """
        kernel = self.hyperparameters.latent
        cross = kernel(self._rows, candidates)
        factor = cho_factor(self._prior + self._jitter * np.eye(len(self._rows)), lower=True)
        weights = cho_solve(factor, cross)
        variance = kernel.diag(candidates) - (cross * weights).sum(axis=0)
        return latent @ weights, np.sqrt(np.clip(variance, 0.0, None))
