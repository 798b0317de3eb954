"""Evaluation points and temperatures depend only on the integer step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixfront.models import TemperatureConfig
from mixfront.training.schedules import evaluation_steps, restart_step, tau_at


def temperature(schedule: str, hot_share: float = 0.5) -> TemperatureConfig:
    assert schedule in ("linear", "two_stage")
    return TemperatureConfig(
        tau_start=1.0,
        tau_end=0.05,
        tau_schedule="linear" if schedule == "linear" else "two_stage",
        hot_share=hot_share,
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


def test_two_stage_temperature_is_hot_then_cold() -> None:
    config = temperature("two_stage", hot_share=0.7)
    taus = [tau_at(config, step, 10) for step in range(11)]
    assert taus == [1.0] * 7 + [0.05] * 4
    assert restart_step(config, 10) == 7


def test_a_family_without_temperature_never_restarts() -> None:
    assert restart_step(None, 10) is None
