"""Evaluation points and temperatures depend only on the integer step."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixfront.models import TemperatureConfig
from mixfront.training.schedules import evaluation_steps, restart_step, tau_at


def temperature(
    schedule: Literal["linear", "two_stage", "constant"],
    hot_share: float = 0.5,
    tau_steps: int = 0,
) -> TemperatureConfig:
    return TemperatureConfig(
        tau_start=1.0,
        tau_end=0.05,
        tau_schedule=schedule,
        hot_share=hot_share,
        tau_steps=tau_steps,
    )


@pytest.mark.parametrize(
    ("total", "every", "expected"),
    [
        (8, 0.25, [2, 4, 6, 8]),
        (82, 0.25, [21, 41, 62, 82]),
        (10, 0.1, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        (10, 0.3, [3, 6, 9, 10]),
        (3, 0.125, [1, 2, 3]),
        (1, 0.25, [1]),
        (7, 1.0, [7]),
    ],
)
def test_points_are_the_first_steps_that_reach_a_multiple(
    total: int, every: float, expected: list[int]
) -> None:
    assert evaluation_steps(total, every) == expected


@given(total=st.integers(1, 10_000), thousandths=st.integers(1, 1000))
def test_points_ascend_and_end_at_the_last_step(total: int, thousandths: int) -> None:
    points = evaluation_steps(total, thousandths / 1000)
    assert points == sorted(set(points))
    assert points[-1] == total
    assert points[0] >= 1
    for count, point in enumerate(points[:-1], 1):
        assert point * 1000 >= total * thousandths * count or total < 1000


def test_linear_temperature_falls_from_start_to_end() -> None:
    config = temperature("linear")
    assert tau_at(config, 0, 10) == 1.0
    assert tau_at(config, 5, 10) == pytest.approx(0.525)
    assert tau_at(config, 10, 10) == 0.05
    assert restart_step(config, 10) is None


def test_a_linear_schedule_in_steps_ends_early_or_not_at_all() -> None:
    """The authors' 10,000 steps never leave 0.99 in the 82 steps of a small data set."""
    short = [tau_at(temperature("linear", tau_steps=4), step, 10) for step in range(11)]
    assert short[:5] == pytest.approx([1.0, 0.7625, 0.525, 0.2875, 0.05])
    assert short[4:] == [0.05] * 7
    assert tau_at(temperature("linear", tau_steps=10_000), 82, 82) == pytest.approx(0.99221)


def test_a_constant_temperature_is_that_of_the_end() -> None:
    config = temperature("constant", tau_steps=3)
    assert {tau_at(config, step, 10) for step in range(11)} == {0.05}
    assert restart_step(config, 10) is None


def test_two_stage_temperature_is_hot_then_cold() -> None:
    config = temperature("two_stage", hot_share=0.7)
    taus = [tau_at(config, step, 10) for step in range(11)]
    assert taus == [1.0] * 7 + [0.05] * 4
    assert restart_step(config, 10) == 7


def test_a_family_without_temperature_never_restarts() -> None:
    assert restart_step(None, 10) is None
