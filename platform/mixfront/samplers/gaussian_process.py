"""A Gaussian process of the value, over features, costs and fidelity of configurations."""

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel

Array = npt.NDArray[np.float64]

JITTER = 1e-6  # of the latent values' variance, which keeps almost equal points invertible


@dataclass(frozen=True)
class Hyperparameters:
    """A kernel of the latent values, and the variance of the noise in the observed ones."""

    latent: Kernel
    noise: float


def fit_hyperparameters(rows: Array, targets: Array) -> Hyperparameters:
    """The Matern-5/2 kernel, with a length scale per column, of maximum likelihood.

    Args:
        rows: (n, columns), between 0 and 1.
        targets: (n,), with mean 0 and standard deviation 1.
    """
    length_scales = Matern(np.full(rows.shape[1], 0.5), (0.05, 20.0), nu=2.5)
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * length_scales + WhiteKernel(1e-2, (1e-5, 1.0))
    process = GaussianProcessRegressor(kernel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale may be at its bound
        process.fit(rows, targets)
    return Hyperparameters(process.kernel_.k1, float(process.kernel_.k2.noise_level))


class Posterior:
    """The latent values at some points, given noisy observations there or elsewhere.

    Args:
        hyperparameters: Of the kernel.
        observed: Rows (n, columns).
        targets: (n,).
        points: Rows (p, columns).
    """

    def __init__(
        self, hyperparameters: Hyperparameters, observed: Array, targets: Array, points: Array
    ) -> None:
        self._kernel = hyperparameters.latent
        self._rows, self._targets = np.vstack([observed, points]), targets
        n = len(observed)
        prior = self._kernel(self._rows)
        jitter = JITTER * float(np.diag(prior).mean())
        noise = np.where(np.arange(len(prior)) < n, hyperparameters.noise + jitter, jitter)
        # Its leading block is the factor of the observations alone.
        self._factor = cholesky(prior + np.diag(noise), lower=True)
        gain = cho_solve((self._factor[:n, :n], True), prior[:n, n:]).T
        self.mean: Array = gain @ targets
        covariance = prior[n:, n:] - gain @ prior[:n, n:]
        self._root = cholesky(covariance + 2 * jitter * np.eye(len(points)), lower=True)

    def draws(self, count: int, rng: np.random.Generator) -> Array:
        """Joint draws of the latent values at the points, (count, p)."""
        draws: Array = self.mean + rng.normal(size=(count, len(self.mean))) @ self._root.T
        return draws

    def given(self, latents: Array, candidates: Array) -> tuple[Array, Array]:
        """Candidates' means (d, m) and standard deviations (m,) if the points had these values.

        Args:
            latents: Of the points, (d, p).
            candidates: Rows (m, columns).
        """
        cross = self._kernel(self._rows, candidates)
        weights = cho_solve((self._factor, True), cross)
        variance = self._kernel.diag(candidates) - (cross * weights).sum(axis=0)
        n = len(self._targets)
        means = self._targets @ weights[:n] + latents @ weights[n:]
        return means, np.sqrt(np.clip(variance, 0.0, None))
