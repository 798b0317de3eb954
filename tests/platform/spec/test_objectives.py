"""The table of metrics, and constraints on them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.spec.objectives import METRICS, get_metric, parse_constraint, parse_objective
from mixfront.training.latency import LATENCIES


def test_the_table() -> None:
    assert list(METRICS) == [
        "auc", "uauc", "gauc", "logloss", "params", "params_total", "flops", "flops_per_sample",
        "activation_mb", "samples_per_s",
        "latency_p50_ms_b1", "latency_p99_ms_b1", "latency_p50_ms_b512", "latency_p99_ms_b512",
        "latency_raw_p50_ms_b1", "latency_raw_p99_ms_b1",
        "latency_raw_p50_ms_b512", "latency_raw_p99_ms_b512",
    ]  # fmt: skip
    costs = {name for name, metric in METRICS.items() if metric.before_training}
    assert costs == {"params", "params_total", "flops", "flops_per_sample", "activation_mb"}
    decades = {name for name, metric in METRICS.items() if metric.log10}
    assert decades == {*costs, "samples_per_s", *LATENCIES}
    best = {name for name, metric in METRICS.items() if metric.direction == "max"}
    assert best == {"auc", "uauc", "gauc", "samples_per_s"}


def test_latencies_are_those_that_a_trial_measures() -> None:
    measured = [METRICS[name] for name in METRICS if name.startswith("latency")]
    assert tuple(metric.name for metric in measured) == LATENCIES
    assert {metric.direction for metric in measured} == {"min"}
    assert not any(metric.before_training for metric in measured)


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown metric 'flop': did you mean 'flops'"):
        get_metric("flop")


def test_the_test_split_decides_nothing() -> None:
    with pytest.raises(SpecError, match=r"'test_auc' cannot steer a search.*use 'auc'"):
        get_metric("test_auc")


@pytest.mark.parametrize(
    ("data", "direction"),
    [
        ("auc", "max"),
        ({"metric": "flops"}, "min"),
        ({"metric": "params", "direction": "min"}, "min"),
    ],
)
def test_an_objective_may_leave_its_direction_out(data: Any, direction: str) -> None:
    assert parse_objective(data)["direction"] == direction


@pytest.mark.parametrize(
    "text", ["< 3", "20e6", "<=", "<= x", "<= nan", "<= 1e999", "<= 1 or 1", 3, None, "== 4"]
)
def test_what_is_no_constraint(text: Any) -> None:
    with pytest.raises(SpecError, match="write '<= NUMBER' or '>= NUMBER'"):
        parse_constraint("params", text)


@given(st.floats(1e-3, 1e15), st.floats(1e-3, 1e15))
def test_a_violation_is_above_zero_exactly_when_the_constraint_is_broken(
    limit: float, value: float
) -> None:
    for metric in ("params", "auc"):
        upper = parse_constraint(metric, f"<= {limit!r}")
        lower = parse_constraint(metric, f">= {limit!r}")
        assert (upper.violation(value) > 0) == (value > limit)
        assert (lower.violation(value) > 0) == (value < limit)


def test_costs_weigh_alike_whatever_their_size() -> None:
    params, flops = parse_constraint("params", "<= 2e6"), parse_constraint("flops", "<= 5e11")
    assert math.isclose(params.violation(2e7), 1.0)
    assert math.isclose(flops.violation(5e12), 1.0)
    assert params.before_training
    assert not parse_constraint("auc", ">= 0.7").before_training


def test_a_constraint_reads_back_from_its_text() -> None:
    found = parse_constraint("flops", " <=5e11 ")
    assert str(found) == "<= 5e+11"
    assert parse_constraint("flops", str(found)) == found
