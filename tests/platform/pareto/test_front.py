"""The front, compared with examples and with brute force."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixfront.exceptions import StorageError
from mixfront.pareto import count_states, front_json, front_of, hypervolume_history
from mixfront.records import SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective

THREE = [
    Objective(metric="auc", direction="max"),
    Objective(metric="flops", direction="min"),
    Objective(metric="logloss", direction="min"),
]


def ids(trials: Any) -> list[str]:
    return [trial.trial_id for trial in trials]


def test_only_complete_feasible_trials_count_and_equal_trials_share_the_front(
    search: SearchRecord, trials: list[TrialRecord]
) -> None:
    front = front_of(trials, search.objectives, search.reference_point)
    assert ids(front.members) == ["4", "7", "2", "1"]
    assert ids(front.candidates) == ["0", "1", "2", "3", "4", "7"]
    assert front.ranks == {"1": 0, "2": 0, "4": 0, "7": 0, "0": 1, "3": 1}


def test_hypervolume_is_the_area_up_to_the_reference_point(
    search: SearchRecord, trials: list[TrialRecord]
) -> None:
    front = front_of(trials, search.objectives, search.reference_point)
    # Steps over log10 flops: [9, 10) at 0.22, [10, 11) at 0.24, [11, 12] at 0.25.
    assert front.hypervolume == pytest.approx(0.22 + 0.24 + 0.25)


def test_points_beyond_the_reference_point_add_nothing(
    search: SearchRecord, make_trial: Any
) -> None:
    beyond = [make_trial(0, auc=0.45, flops=1e9), make_trial(1, auc=0.7, flops=1e13)]
    front = front_of(beyond, search.objectives, search.reference_point)
    assert front.hypervolume == 0.0
    assert len(front.members) == 2


def test_a_record_whose_reference_point_was_changed_is_refused(search: SearchRecord) -> None:
    with pytest.raises(StorageError, match=r"2 objectives and 1 values of `reference_point`"):
        front_of([], search.objectives, search.reference_point[:1])


def test_without_trials_the_front_is_empty(search: SearchRecord) -> None:
    front = front_of([], search.objectives, search.reference_point)
    assert (front.members, front.ranks, front.hypervolume) == ((), {}, 0.0)


def test_a_trial_with_a_missing_or_nan_objective_is_not_on_the_front(
    search: SearchRecord, make_trial: Any
) -> None:
    invalid = [make_trial(0, auc=0.9), make_trial(1, auc=math.nan, flops=1e9)]
    assert front_of(invalid, search.objectives, search.reference_point).members == ()


def test_dominated_by_lists_the_dominating_trials(
    search: SearchRecord, trials: list[TrialRecord]
) -> None:
    front = front_of(trials, search.objectives, search.reference_point)
    assert ids(front.dominated_by(trials[3])) == ["2"]
    assert ids(front.dominated_by(trials[0])) == ["2", "1"]
    assert front.dominated_by(trials[7]) == []  # equal is not better


def test_the_front_of_one_objective_is_the_best_trials(make_trial: Any) -> None:
    trials = [make_trial(0, auc=0.7), make_trial(1, auc=0.8), make_trial(2, auc=0.8)]
    front = front_of(trials, THREE[:1], [0.5])
    assert ids(front.members) == ["1", "2"]
    assert front.hypervolume == pytest.approx(0.3)


points = st.lists(
    st.tuples(
        st.integers(50, 60).map(lambda n: n / 100),
        st.integers(6, 11).map(lambda n: 10.0**n),
        st.integers(1, 6).map(lambda n: n / 10),
    ),
    min_size=1,
    max_size=12,
)


def as_trials(rows: list[tuple[float, float, float]]) -> list[TrialRecord]:
    return [
        TrialRecord(
            trial_id=str(i),
            family="f",
            config={},
            state=TrialState.COMPLETE,
            values={"auc": auc, "flops": flops, "logloss": logloss},
            ended=float(i),
        )
        for i, (auc, flops, logloss) in enumerate(rows)
    ]


@settings(deadline=None)
@given(points)
def test_the_front_equals_the_brute_force_front(rows: list[tuple[float, float, float]]) -> None:
    trials = as_trials(rows)
    losses = [(-auc, flops, logloss) for auc, flops, logloss in rows]
    best = {
        str(i)
        for i, own in enumerate(losses)
        if not any(np.all(np.less_equal(other, own)) and other != own for other in losses)
    }
    front = front_of(trials, THREE, [0.4, 12.0, 0.7])
    assert set(ids(front.members)) == best
    for trial in trials:
        assert bool(front.dominated_by(trial)) == (trial.trial_id not in best)
        assert (front.ranks[trial.trial_id] == 0) == (trial.trial_id in best)


@settings(deadline=None)
@given(points)
def test_hypervolume_never_falls_and_is_that_of_the_front_so_far(
    rows: list[tuple[float, float, float]],
) -> None:
    trials, reference = as_trials(rows), [0.4, 12.0, 0.7]
    volumes = [volume for _, volume in hypervolume_history(trials, THREE, reference)]
    assert volumes == sorted(volumes)
    for count, volume in enumerate(volumes, start=1):
        front = front_of(trials[:count], THREE, reference)
        assert volume == pytest.approx(front.hypervolume)


def test_the_history_is_ordered_by_end_time(search: SearchRecord, make_trial: Any) -> None:
    trials = [make_trial(0, auc=0.7, flops=1e9, ended=2.0), make_trial(1, auc=0.6, flops=1e9)]
    trials[1].ended = 1.0
    history = hypervolume_history(trials, search.objectives, search.reference_point)
    assert ids(trial for trial, _ in history) == ["1", "0"]
    assert hypervolume_history([], search.objectives, search.reference_point) == []


def test_a_complete_trial_that_violates_a_constraint_counts_as_infeasible(
    trials: list[TrialRecord],
) -> None:
    counts = count_states(trials)
    assert counts == {
        "running": 1,
        "interrupted": 0,
        "complete": 6,
        "pruned": 1,
        "failed": 1,
        "infeasible": 2,  # including one that violated a measured constraint
    }


def test_the_json_has_the_documented_keys(search: SearchRecord, trials: list[TrialRecord]) -> None:
    front = json.loads(json.dumps(front_json(search, trials)))
    assert front["search_id"] == "demo-1a2b3c4d"
    assert front["objectives"][0] == {"metric": "auc", "direction": "max"}
    assert front["reference_point"] == [0.5, 12.0]
    assert front["hypervolume"] == pytest.approx(0.71)
    assert {"complete", "pruned", "failed", "infeasible"} <= front["trials"].keys()
    assert front["front"][-1] == {
        "trial_id": "1",
        "family": "unimixer",
        "values": {"auc": 0.72, "flops": 1e9},
        "config": trials[1].config,
        "run_id": None,
    }
