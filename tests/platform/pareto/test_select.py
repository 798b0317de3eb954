"""Picking one trial of a front."""

import math
from typing import Any

import pytest

from mixfront.exceptions import UnknownNameError, UsageError
from mixfront.pareto import Front, front_of, parse_pick, pick_trial
from mixfront.pareto.select import Best, Knee, Max, knee_distances
from mixfront.records import SearchRecord, TrialRecord
from mixfront.spec.objectives import Objective


@pytest.fixture
def front(search: SearchRecord, trials: list[TrialRecord]) -> Front:
    for trial in trials:
        trial.metrics = {"gauc": 0.6 - int(trial.trial_id) / 100, "test_auc": 0.8}
        trial.costs = {"params": 1e6 + int(trial.trial_id)}
    return front_of(trials, search.objectives, search.reference_point)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("knee", Knee()),
        ("best:auc", Best("auc")),
        (" best:auc ", Best("auc")),
        ("max:flops<=1e11", Max("flops", 1e11)),
        ("max:flops <= 2.5e9", Max("flops", 2.5e9)),
    ],
)
def test_valid_picks_are_parsed(text: str, expected: object) -> None:
    assert parse_pick(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("elbow", "use knee, best:METRIC or max:METRIC<=VALUE"),
        ("best:", "is not a valid pick"),
        ("max:flops", "is not a valid pick"),
        ("max:flops<1e9", "is not a valid pick"),
        ("max:flops<=many", "'many' is not a number"),
        ("max:flops<=nan", "'nan' is not a number"),
        ("best:test_auc", "the test split is only reported"),
        ("max:test_auc<=1", "the test split is only reported"),
    ],
)
def test_invalid_picks_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_pick(text)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("best:auc", "4"),  # equal to 7, but with a lower number
        ("best:flops", "1"),
        ("best:gauc", "1"),
        ("best:params", "1"),  # a cost: lower is better
        ("max:flops<=1e11", "4"),
        ("max:flops<=9e10", "2"),
        ("max:auc<=0.745", "2"),
        ("knee", "2"),
    ],
)
def test_a_pick_selects_a_trial(front: Front, text: str, expected: str) -> None:
    assert pick_trial(text, front).trial_id == expected


def test_a_limit_below_every_value_is_refused(front: Front) -> None:
    with pytest.raises(UsageError, match=r"no trial on the front has flops <= 1e\+08.*1e\+09"):
        pick_trial("max:flops<=1e8", front)


def test_an_unknown_metric_suggests_a_validation_metric(front: Front) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gauc'") as caught:
        pick_trial("best:gacu", front)
    assert "test_auc" not in str(caught.value)


def test_nothing_can_be_picked_from_an_empty_front(search: SearchRecord) -> None:
    with pytest.raises(UsageError, match="the front is empty"):
        pick_trial("knee", front_of([], search.objectives, search.reference_point))


def test_knee_distance_is_measured_from_the_line_between_the_extremes(front: Front) -> None:
    # Members 4, 7, 2, 1 scale to (0, 1), (0, 1), (1/3, 1/2), (1, 0).
    expected = [0.0, 0.0, (1 - 1 / 3 - 1 / 2) / math.sqrt(2), 0.0]
    assert knee_distances(front) == pytest.approx(expected)


def test_the_knee_of_a_single_point_and_of_three_objectives(make_trial: Any) -> None:
    objectives = [
        Objective(metric="auc", direction="max"),
        Objective(metric="flops", direction="min"),
        Objective(metric="params", direction="min"),
    ]
    trials = [
        make_trial(0, auc=0.80, flops=1e12, params=1e8),
        make_trial(1, auc=0.78, flops=1e9, params=1e6),
        make_trial(2, auc=0.60, flops=1e8, params=1e5),
    ]
    front = front_of(trials, objectives, [0.5, 13, 9])
    assert len(front.members) == 3
    assert pick_trial("knee", front).trial_id == "1"
    single = front_of(trials[:1], objectives, [0.5, 13, 9])
    assert pick_trial("knee", single).trial_id == "0"
