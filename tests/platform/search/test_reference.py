"""The reference point of the hypervolume."""

import math
from typing import Any

import pytest

from mixfront.exceptions import SpecError
from mixfront.search.reference import reference_point
from mixfront.spaces import Space
from mixfront.spaces.parameters import Fixed, Int

SPACE = Space(name="fake", families={"unimixer": {"num_blocks": Int(low=1, high=8)}}, shared={})


def costs(flat: Any) -> dict[str, float]:
    return {"flops": 1e9 * flat["num_blocks"], "params": 1e6 * flat["num_blocks"]}


def test_defaults_are_chance_and_the_spaces_extremes(make_spec: Any) -> None:
    assert reference_point(make_spec(), SPACE, costs) == [0.5, pytest.approx(math.log10(8.8e9))]


def test_constraints_take_precedence_over_the_extremes(make_spec: Any) -> None:
    spec = make_spec(constraints={"flops": "<= 5e11", "auc": ">= 0.6"})
    assert reference_point(spec, SPACE, costs) == [0.6, pytest.approx(math.log10(5e11))]


def test_a_constraint_in_the_other_direction_is_ignored(make_spec: Any) -> None:
    spec = make_spec(constraints={"flops": ">= 1e3"})
    assert reference_point(spec, SPACE, costs)[1] == pytest.approx(math.log10(8.8e9))


def test_the_specs_reference_point_takes_precedence(make_spec: Any) -> None:
    spec = make_spec(
        reference_point={"auc": 0.65, "flops": 1e12}, constraints={"flops": "<= 5e11"}
    )
    assert reference_point(spec, SPACE, lambda _flat: {}) == [0.65, 12.0]  # no cost is counted


def test_every_kind_of_metric_has_a_reference_value(make_spec: Any) -> None:
    spec = make_spec(objectives=["uauc", "logloss", "params", "samples_per_s"])
    point = reference_point(spec, SPACE, costs)
    assert point == [0.5, pytest.approx(math.log(2)), pytest.approx(math.log10(8.8e6)), 0.0]


def test_a_latency_has_a_reference_value_without_a_constraint(make_spec: Any) -> None:
    spec = make_spec(objectives=["auc", "latency_p99_ms_b1"])
    assert reference_point(spec, SPACE, costs) == [0.5, 3.0]
    bounded = make_spec(
        objectives=["auc", "latency_p99_ms_b1"], constraints={"latency_p99_ms_b1": "<= 10"}
    )
    assert reference_point(bounded, SPACE, costs) == [0.5, 1.0]


def test_a_maximised_cost_is_bounded_by_the_cheapest_model(make_spec: Any) -> None:
    spec = make_spec(objectives=[{"metric": "flops", "direction": "max"}])
    assert reference_point(spec, SPACE, costs) == [pytest.approx(math.log10(1e9 / 1.1))]


def test_a_space_without_a_buildable_corner_is_refused(make_spec: Any) -> None:
    def unbuildable(_flat: Any) -> dict[str, float]:
        raise SpecError("no")

    space = Space(name="empty", families={"unimixer": {"num_blocks": Fixed(value=1)}}, shared={})
    with pytest.raises(SpecError, match="no corner of space 'empty' can be built; set"):
        reference_point(make_spec(), space, unbuildable)
