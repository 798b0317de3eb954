"""Costs are compared in log10, everything smaller-is-better."""

import pytest

from mixfront.pareto import is_cost, is_log10, scaled
from mixfront.pareto.scale import better_direction, minimised
from mixfront.records import Objective


@pytest.mark.parametrize(
    "metric",
    ["params", "params_total", "flops", "flops_per_sample", "activation_mb", "latency_p99_ms_b1"],
)
def test_costs(metric: str) -> None:
    assert is_cost(metric)
    assert is_log10(metric)
    assert better_direction(metric) == "min"
    assert scaled(metric, 1e9) == 9.0


def test_quality_is_taken_as_it_is() -> None:
    assert not is_cost("auc")
    assert scaled("auc", 0.7) == 0.7
    assert better_direction("auc") == "max"
    assert better_direction("logloss") == "min"


def test_throughput_spans_decades_and_is_no_cost() -> None:
    assert not is_cost("samples_per_s")
    assert scaled("samples_per_s", 1e4) == 4.0


def test_a_cost_of_nothing_is_finite() -> None:
    assert scaled("flops", 0.0) == -12.0


def test_signs() -> None:
    assert minimised(Objective(metric="auc", direction="max"), 0.7) == -0.7
    assert minimised(Objective(metric="flops", direction="min"), 9.0) == 9.0
