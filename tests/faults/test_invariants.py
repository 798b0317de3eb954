"""The checker finds every planted lie, and nothing in a search whose stores agree."""

import shutil
from pathlib import Path

import pytest
from mlflow.entities import Metric
from tests.faults.conftest import FinishedSearch
from tests.faults.invariants import Overshoot, Running, check_budget, check_leftovers

from mixfront.records import TrialState
from mixfront.tracking.run_update import RunUpdate


def test_a_truthful_search_has_no_faults(finished: FinishedSearch) -> None:
    assert finished.faults() == []


def test_a_lost_trial(finished: FinishedSearch) -> None:
    shutil.rmtree(Path(finished.store.url) / "trials" / "0")
    faults = finished.faults()
    assert "trial 0 was complete and is lost" in faults
    assert "trial 0 is only in the study" in faults
    assert "MLflow has a run of the unknown trial 0" in faults


def test_a_trial_that_the_study_lacks(finished: FinishedSearch) -> None:
    finished.store.save_trial(finished.store.trial("1").model_copy(update={"trial_id": "2"}))
    assert "trial 2 is only in the records" in finished.faults()


def test_a_complete_trial_that_ran_again(finished: FinishedSearch) -> None:
    finished.journal.start("0")
    assert finished.faults() == ["trial 0 was complete and ran again"]


def test_a_complete_trial_whose_result_changed(finished: FinishedSearch) -> None:
    finished.change("0", values={"auc": 0.9, "flops": 1e9})
    faults = finished.faults()
    assert [fault for fault in faults if "was complete with" in fault] != []
    assert [fault for fault in faults if "0.7, 1000000000.0] in the study" in fault] != []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"state": TrialState.PRUNED}, "trial 0 is pruned in the records, COMPLETE in the study"),
        ({"state": TrialState.RUNNING}, "trial 0 is running in its record, but the search has no"),
        ({"state": TrialState.INTERRUPTED}, "trial 0 is interrupted, but the search has finished"),
        ({"state": TrialState.FAILED}, "trial 0 failed without a reason"),
        ({"state": TrialState.INFEASIBLE}, "trial 0 is infeasible, but it was started"),
        ({"fidelity": 0.5}, "trial 0 is complete, but was trained to 0.5 only"),
        ({"values": {"auc": float("nan"), "flops": 1e9}}, "its objective 'auc' is nan"),
        ({"values": {"flops": 1e9}}, "trial 0 is complete, but its objective 'auc' is None"),
        ({"started": None}, "trial 0 is complete, but was never started"),
    ],
)
def test_a_false_state(finished: FinishedSearch, changes: dict[str, object], fault: str) -> None:
    finished.change("0", **changes)
    assert any(fault in found for found in finished.faults()), finished.faults()


def test_a_search_that_runs_without_a_driver(finished: FinishedSearch) -> None:
    finished.search.state = "running"
    finished.store.save_search(finished.search)
    assert finished.faults() == ["the search is running in its record, but it has no driver"]


def test_a_doubled_number_in_the_spool(finished: FinishedSearch) -> None:
    plant(finished, RunUpdate(seq=3, time_ms=1, trial_id="0", tags={"x": "y"}))
    assert finished.faults() == ["update 3 is 2 times in the spool"]


def test_a_doubled_step_in_the_spool(finished: FinishedSearch) -> None:
    plant(finished, RunUpdate(seq=900, time_ms=1, trial_id="0", metrics={"auc": 0.8}, step=10))
    assert finished.faults() == ["auc of 0 has 2 values at step 10 in the spool"]


def test_a_doubled_step_in_mlflow(finished: FinishedSearch) -> None:
    finished.client.log_batch(finished.run_id("0"), [Metric("auc", 0.7, 9_999_999_999_999, 10)])
    assert finished.faults() == ["auc of 0 has 2 values at step 10 in MLflow"]


def test_a_run_that_mlflow_lacks(finished: FinishedSearch) -> None:
    finished.client.delete_run(finished.run_id("0"))
    assert finished.faults() == ["MLflow has 0 runs of trial 0"]


def test_a_second_run_of_one_trial(finished: FinishedSearch) -> None:
    run = finished.client.get_run(finished.run_id("1"))
    finished.client.create_run(run.info.experiment_id, tags=run.data.tags)
    assert "MLflow has 2 runs of trial 1" in finished.faults()


def test_a_second_run_of_the_search(finished: FinishedSearch) -> None:
    trial = finished.client.get_run(finished.run_id("1"))
    parent = finished.client.get_run(trial.data.tags["mlflow.parentRunId"])
    finished.client.create_run(parent.info.experiment_id, tags=parent.data.tags)
    assert finished.faults() == ["MLflow has 2 runs of the search"]


def test_a_state_that_mlflow_does_not_have(finished: FinishedSearch) -> None:
    finished.client.set_tag(finished.run_id("1"), "mixfront.state", "complete")
    fault = "trial 1 is failed in the records, complete (FAILED) in MLflow"
    assert finished.faults() == [fault]


def test_a_metric_that_mlflow_does_not_have(finished: FinishedSearch) -> None:
    finished.change("0", metrics={"auc": 0.7, "logloss": 0.4})
    assert finished.faults() == ["trial 0 has logloss 0.4 in the records, 0.5 in MLflow"]


def test_a_leftover_process_actor_and_placement_group() -> None:
    before = Running(processes=frozenset({"1 init"}))
    after = Running(
        processes=frozenset({"1 init", "99 ray::worker"}),
        actors=frozenset({"mixfront-s-lane-0"}),
        placement_groups=frozenset({"pg-1"}),
    )
    assert check_leftovers(before, before) == []
    assert check_leftovers(before, after) == [
        "process 99 ray::worker is left",
        "actor mixfront-s-lane-0 is left",
        "placement group pg-1 is left",
    ]


def test_an_overspent_budget_of_trials(finished: FinishedSearch) -> None:
    finished.limits = finished.limits.model_copy(update={"trials": 1})
    assert finished.faults() == ["2 trials were started on a budget of 1"]


def test_an_overspent_budget_of_accelerator_hours(finished: FinishedSearch) -> None:
    finished.change("0", accelerator_seconds=40.0)
    assert finished.faults() == ["40 accelerator seconds were spent on a budget of 36"]


def test_an_overspent_budget_of_time(finished: FinishedSearch) -> None:
    records, limits = finished.store.trials(), finished.limits
    assert check_budget(limits, records, seconds=61, overshoot=Overshoot(seconds=2)) == []
    faults = check_budget(limits, records, seconds=63, overshoot=Overshoot(seconds=2))
    assert faults == ["the search took 63 s on a budget of 60"]


def plant(finished: FinishedSearch, update: RunUpdate) -> None:
    """Write an update into the spool, as if a second driver of the same epoch had."""
    segment = Path(finished.store.url) / "spool" / "000000-000099.jsonl"
    segment.write_text(update.to_line() + "\n")
