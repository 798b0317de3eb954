"""Objectives: directions and scales."""

from typing import Any

import pytest

from mixfront.spec.objectives import Objective, parse_objective


@pytest.mark.parametrize(
    ("data", "direction"),
    [
        ("auc", "max"),
        ({"metric": "flops"}, "min"),
        ({"metric": "params", "direction": "min"}, "min"),
    ],
)
def test_the_direction_of_an_objective_is_optional(data: Any, direction: str) -> None:
    assert parse_objective(data)["direction"] == direction


def test_minimised_values_are_better_if_smaller() -> None:
    assert Objective(metric="auc", direction="max").minimised(0.7) == -0.7
    assert Objective(metric="flops", direction="min").minimised(9.0) == 9.0


def test_costs_are_scaled_and_quality_is_not() -> None:
    assert Objective(metric="flops", direction="min").scaled(1e9) == 9.0
    assert Objective(metric="auc", direction="max").scaled(0.7) == 0.7
