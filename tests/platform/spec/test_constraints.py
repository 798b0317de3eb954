"""Bounds on metrics."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mixfront.exceptions import SpecError
from mixfront.spec.constraints import Constraints, parse_constraint


@pytest.mark.parametrize(
    "text", ["< 3", "20e6", "<=", "<= x", "<= nan", "<= 1e999", "<= 1 or 1", 3, None, "== 4"]
)
def test_text_that_is_not_a_constraint_is_refused(text: Any) -> None:
    with pytest.raises(SpecError, match="write '<= NUMBER' or '>= NUMBER'"):
        parse_constraint("params", text)


@given(st.floats(1e-3, 1e15), st.floats(1e-3, 1e15))
def test_a_violation_is_positive_exactly_if_the_constraint_is_violated(
    limit: float, value: float
) -> None:
    for metric in ("params", "auc"):
        upper = parse_constraint(metric, f"<= {limit!r}")
        lower = parse_constraint(metric, f">= {limit!r}")
        assert (upper.violation(value) > 0) == (value > limit)
        assert (lower.violation(value) > 0) == (value < limit)


def test_cost_violations_are_relative_to_the_limit() -> None:
    params, flops = parse_constraint("params", "<= 2e6"), parse_constraint("flops", "<= 5e11")
    assert math.isclose(params.violation(2e7), 1.0)
    assert math.isclose(flops.violation(5e12), 1.0)
    assert params.before_training
    assert not parse_constraint("auc", ">= 0.7").before_training


def test_a_constraint_reads_back_from_its_text() -> None:
    constraint = parse_constraint("flops", " <=5e11 ")
    assert str(constraint) == "<= 5e+11"
    assert parse_constraint("flops", str(constraint)) == constraint


def test_a_key_that_is_not_text_is_an_unknown_metric() -> None:
    constraints = TypeAdapter(Constraints)
    with pytest.raises(ValidationError, match="unknown metric '0'"):
        constraints.validate_python({0: "<= 1"})
