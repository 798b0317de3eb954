"""Which trials continue past a rung."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixfront.search.rungs import passes_rung
from mixfront.spec.objectives import Objective

OBJECTIVES = (
    Objective(metric="auc", direction="max"),
    Objective(metric="flops", direction="min"),
)


def table(*points: tuple[float, float]) -> dict[str, dict[str, float]]:
    return {str(i): {"auc": auc, "flops": flops} for i, (auc, flops) in enumerate(points)}


def survivors(reached: dict[str, dict[str, float]], keep: float) -> set[str]:
    return {trial for trial in reached if passes_rung(trial, reached, OBJECTIVES, keep)}


def test_whole_fronts_continue_first() -> None:
    reached = table((0.7, 1e9), (0.72, 1e10), (0.69, 2e9), (0.6, 1e11))
    assert survivors(reached, 0.5) == {"0", "1"}
    assert survivors(reached, 0.6) == {"0", "1", "2"}
    assert survivors(reached, 0.1) <= {"0", "1"}


def test_within_a_front_crowded_regions_are_thinned_out() -> None:
    reached = table((0.60, 1e8), (0.70, 1e9), (0.701, 1.02e9), (0.75, 1e10))
    assert survivors(reached, 0.75) == {"0", "1", "3"} or survivors(reached, 0.75) == {
        "0", "2", "3",
    }  # fmt: skip


def test_equal_trials_stay_together() -> None:
    assert survivors(table((0.7, 1e9), (0.7, 1e9), (0.6, 1e10)), 0.3) == {"0", "1"}


def test_one_objective_is_plain_successive_halving() -> None:
    reached = {str(i): {"auc": 0.5 + i / 100} for i in range(6)}
    kept = {t for t in reached if passes_rung(t, reached, OBJECTIVES[:1], 0.5)}
    assert kept == {"3", "4", "5"}


POINTS = st.lists(
    st.tuples(st.floats(0.5, 0.9), st.floats(1e6, 1e12)), min_size=2, max_size=12, unique=True
)


@given(POINTS, st.floats(0.1, 0.9))
def test_a_survivor_never_displaces_a_trial_that_dominates_it(
    points: list[tuple[float, float]], keep: float
) -> None:
    reached = table(*points)
    kept = survivors(reached, keep)
    for winner, (auc, flops) in enumerate(points):
        for loser, (worse_auc, worse_flops) in enumerate(points):
            if auc > worse_auc and flops < worse_flops and str(loser) in kept:
                assert str(winner) in kept


@given(POINTS, st.floats(0.1, 0.9))
def test_at_least_the_share_to_keep_continues(
    points: list[tuple[float, float]], keep: float
) -> None:
    assert len(survivors(table(*points), keep)) >= math.ceil(keep * len(points))


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_the_result_does_not_depend_on_a_costs_unit(scale: float) -> None:
    points = [(0.60, 1e8), (0.66, 3e8), (0.70, 1e9), (0.71, 4e9), (0.75, 1e10)]
    scaled = [(auc, flops * scale) for auc, flops in points]
    assert survivors(table(*points), 0.4) == survivors(table(*scaled), 0.4)
