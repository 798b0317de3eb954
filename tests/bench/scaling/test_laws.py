"""Planted laws are recovered, and data that no law fits is refused in a sentence."""

import numpy as np
import pytest
from tests.bench.scaling.laws import (
    PowerLaw,
    SaturatingLaw,
    fit_power,
    fit_saturating,
    held_out_errors,
    preferred,
)

from mixfront.exceptions import UsageError

COST = np.array([0.2, 1.0, 4.0, 16.0])


def test_a_planted_power_law_is_recovered_and_preferred() -> None:
    planted = PowerLaw(baseline=0.70, a=0.003, k=0.13)
    auc = planted.predict(COST)
    law = fit_power(COST, auc, 0.70)
    assert law.a == pytest.approx(0.003)
    assert law.k == pytest.approx(0.13)
    errors = held_out_errors(COST, auc, 0.70)
    assert errors["power"] == pytest.approx(0, abs=1e-9)
    assert preferred(errors) == "power"


def test_a_planted_asymptote_is_recovered_and_preferred() -> None:
    planted = SaturatingLaw(asymptote=0.78, b=0.02, c=0.8)
    auc = planted.predict(COST)
    law = fit_saturating(COST, auc)
    assert law.asymptote == pytest.approx(0.78, abs=1e-4)
    assert law.b == pytest.approx(0.02, rel=0.01)
    assert law.c == pytest.approx(0.8, rel=0.01)
    errors = held_out_errors(COST, auc, 0.70)
    assert abs(errors["saturating"]) < 1e-4 < abs(errors["power"])
    assert preferred(errors) == "saturating"


def test_small_noise_moves_the_exponent_little() -> None:
    rng = np.random.default_rng(5)
    auc = PowerLaw(baseline=0.70, a=0.02, k=0.13).predict(COST)
    fits = [fit_power(COST, auc + rng.normal(0, 2e-4, 4), 0.70).k for _ in range(200)]
    assert np.mean(fits) == pytest.approx(0.13, abs=0.002)
    assert np.std(fits) < 0.01


def test_an_auc_below_the_baseline_is_refused() -> None:
    with pytest.raises(UsageError, match=r"AUC of 0.6900 is not above the baseline's 0.7000"):
        fit_power(COST, np.array([0.69, 0.71, 0.72, 0.73]), 0.70)


def test_a_falling_or_flat_auc_has_no_asymptote() -> None:
    for auc in (np.array([0.73, 0.72, 0.71, 0.70]), np.full(4, 0.72)):
        with pytest.raises(UsageError, match="does not rise with the cost"):
            fit_saturating(COST, auc)


def test_too_few_sizes_are_refused() -> None:
    cost, auc = np.array([1.0, 1.0, 2.0]), np.array([0.71, 0.71, 0.72])
    for fit in (lambda: fit_power(cost, auc, 0.7), lambda: fit_saturating(cost, auc)):
        with pytest.raises(UsageError, match="needs 3 different costs, but there are 2"):
            fit()
