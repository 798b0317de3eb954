"""Exponents of a family, with intervals from rows and seeds, on models with planted AUCs."""

import numpy as np
import pytest
from tests.bench.scaling.fitted import COSTS, PowerFit, fit_family
from tests.bench.scaling.laws import Floats, PowerLaw
from tests.bench.scaling.measured import Measured, Model

FLOPS = np.array([0.2, 1.0, 4.0, 16.0])
UNIT = "GFLOPs per batch"


def _measured(deviation: float, aucs: Floats) -> Measured:
    values = [
        ("zero", 0.01, 0.70),
        *(("family", x, auc) for x, auc in zip(FLOPS, aucs, strict=True)),
    ]
    models = tuple(
        Model(
            label=label,
            size=str(flops),
            learning_rate=1e-3,
            params=flops * 1e6,
            flops=flops * 1e9,
            aucs=(auc,),
        )
        for label, flops, auc in values
    )
    covariance = np.eye(len(models)) * deviation**2
    return Measured(models=models, covariance=covariance, seed_deviation=deviation)


def test_the_interval_contains_the_planted_exponent_and_widens_with_the_noise() -> None:
    aucs = PowerLaw(baseline=0.70, a=0.02, k=0.13).predict(FLOPS)
    widths = list[float]()
    for deviation in (1e-4, 4e-4):
        power = fit_family(_measured(deviation, aucs), "family", COSTS[UNIT], ["zero"]).power
        assert isinstance(power["zero"], PowerFit)
        low, high = power["zero"].interval
        assert low < 0.13 < high
        assert power["zero"].law.k == pytest.approx(0.13)
        widths.append(high - low)
    assert widths[1] == pytest.approx(4 * widths[0], rel=0.1)


def test_the_draws_are_those_of_refitting_the_law() -> None:
    aucs = PowerLaw(baseline=0.70, a=0.02, k=0.13).predict(FLOPS)
    measured = _measured(4e-4, aucs)
    power = fit_family(measured, "family", COSTS[UNIT], ["zero"]).power["zero"]
    assert isinstance(power, PowerFit)
    draw = measured.draws()[0]
    expected = np.polyfit(np.log(FLOPS), np.log(draw[1:] - draw[0]), 1)[0]
    assert power.draws[0] == pytest.approx(expected)


def test_a_family_below_the_baseline_has_a_reason_instead_of_a_law() -> None:
    fitted = fit_family(_measured(1e-4, 0.69 + FLOPS / 1e4), "family", COSTS[UNIT], ["zero"])
    assert "not above the baseline's" in str(fitted.power["zero"])
    assert "not above the baseline's" in str(fitted.errors)
