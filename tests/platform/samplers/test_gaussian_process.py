"""The posterior agrees with scikit-learn's, and with itself after conditioning."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import WhiteKernel

from mixfront.samplers.gaussian_process import Posterior, fit_hyperparameters

RNG = np.random.default_rng(0)
ROWS = RNG.random((25, 3))
TARGETS = np.sin(5 * ROWS[:, 0]) + ROWS[:, 1] + 0.1 * RNG.normal(size=25)
NEW = RNG.random((7, 3))
MODEL = fit_hyperparameters(ROWS, TARGETS)


def test_mean_and_draws_at_the_points_are_the_peers() -> None:
    peer = GaussianProcessRegressor(MODEL.latent + WhiteKernel(MODEL.noise), optimizer=None)
    mean, covariance = peer.fit(ROWS, TARGETS).predict(NEW, return_cov=True)
    covariance -= MODEL.noise * np.eye(len(NEW))  # the latent value's, without noise
    posterior = Posterior(MODEL, ROWS, TARGETS, NEW)
    draws = posterior.draws(20_000, np.random.default_rng(1))
    np.testing.assert_allclose(posterior.mean, mean, atol=1e-3)
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=5e-3)


def test_a_candidate_at_a_point_has_the_value_given_there() -> None:
    posterior = Posterior(MODEL, ROWS, TARGETS, NEW)
    latents = posterior.draws(4, np.random.default_rng(1))
    means, deviation = posterior.given(latents, NEW)
    np.testing.assert_allclose(means, latents, atol=2e-2)
    assert deviation.max() < 2e-2


def test_conditioning_on_draws_averages_to_the_posterior() -> None:
    far = RNG.random((5, 3))
    posterior = Posterior(MODEL, ROWS, TARGETS, NEW)
    means, _ = posterior.given(posterior.draws(5_000, np.random.default_rng(2)), far)
    direct = Posterior(MODEL, ROWS, TARGETS, far)
    np.testing.assert_allclose(means.mean(axis=0), direct.mean, atol=2e-2)


def test_noise_is_found() -> None:
    rows = np.random.default_rng(3).random((120, 2))
    targets = np.sin(6 * rows[:, 0]) + 0.2 * np.random.default_rng(4).normal(size=120)
    assert np.sqrt(fit_hyperparameters(rows, targets).noise) == pytest.approx(0.2, rel=0.3)
