"""Records in MLflow's words."""

import json

import pytest
import yaml

from mixfront.records import SearchRecord, TrialRecord, TrialState
from mixfront.tracking.run_contents import (
    as_metrics,
    as_params,
    search_ended,
    search_started,
    trial_ended,
    trial_started,
)
from mixfront.tracking.run_update import RunStatus, RunUpdate
from mixfront.training.mixing_log import FOLDER


def test_a_search_says_what_it_is_and_keeps_its_secrets(search: SearchRecord) -> None:
    search.spec["tracking"] = {"uri": "http://me:hunter2@mlflow"}
    search.spec["data"]["path"] = "s3://key:secret@logs/day"
    words = search_started(search, {"family": ["unimixer"]}, {"updates.txt": "at s3://a:b@c/d"})
    update = RunUpdate(seq=1, time_ms=0, **words)
    assert "hunter2" not in update.to_line()
    assert "secret" not in update.to_line()
    assert update.params["search.trials"] == "3"
    assert "data.train" not in update.params  # not set
    assert yaml.safe_load(update.texts["spec.yaml"])["data"]["path"] == "s3://***@logs/day"
    assert yaml.safe_load(update.texts["space.yaml"]) == {"family": ["unimixer"]}
    assert json.loads(update.texts["environment.json"])["mixfront"]
    assert update.texts["updates.txt"] == "at s3://***@c/d"
    assert update.dataset is not None
    assert (update.dataset.name, len(update.dataset.digest)) == ("day", 36)


def test_a_search_without_a_digest_names_no_data_set(search: SearchRecord) -> None:
    search.dataset_digest = None
    words = search_started(search, None, {})
    assert words["dataset"] is None
    assert "space.yaml" not in words["texts"]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("running", RunStatus.RUNNING),
        ("interrupted", RunStatus.KILLED),
        ("finished", RunStatus.FINISHED),
        ("failed", RunStatus.FAILED),
    ],
)
def test_a_search_ends_as_it_did(search: SearchRecord, state: str, status: RunStatus) -> None:
    ended = search.model_copy(update={"state": state, "ended_because": "60 trials done"})
    words = search_ended(ended)
    assert words["status"] is status
    assert words["tags"] == {"mixfront.state": state, "mixfront.ended_because": "60 trials done"}


def test_a_trial_says_what_it_is(search: SearchRecord, trial: TrialRecord) -> None:
    words = trial_started(search, trial)
    assert words["params"] == {"family": "unimixer", "block_size": "4", "optimizer.lr": "0.001"}
    assert words["metrics"] == {"params": 1e6, "flops": 2e9}
    assert words["tags"]["mixfront.family"] == "unimixer"
    assert words["status"] is RunStatus.RUNNING


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (TrialState.COMPLETE, RunStatus.FINISHED),
        (TrialState.PRUNED, RunStatus.KILLED),
        (TrialState.FAILED, RunStatus.FAILED),
        (TrialState.INFEASIBLE, RunStatus.KILLED),
        (TrialState.INTERRUPTED, RunStatus.KILLED),
    ],
)
def test_a_trial_ends_as_it_did(trial: TrialRecord, state: TrialState, status: RunStatus) -> None:
    trial.state = state
    words = trial_ended(trial)
    assert words["status"] is status
    assert words["tags"]["mixfront.state"] == str(state)
    assert ("accelerator_seconds" in words["metrics"]) == state.is_finished
    assert words["folders"] == {}  # it never started


def test_pictures_come_with_the_end(trial: TrialRecord) -> None:
    trial.started, trial.state = 1.0, TrialState.COMPLETE
    assert trial_ended(trial)["folders"] == {FOLDER: f"trials/0/{FOLDER}"}
    trial.state = TrialState.INTERRUPTED
    assert trial_ended(trial)["folders"] == {}


def test_a_trial_says_what_went_wrong(trial: TrialRecord) -> None:
    trial.error = "cannot read s3://a:b@c/d"
    trial.violations = {"flops": 0.3, "params": -1.0}
    tags = trial_ended(trial)["tags"]
    assert tags["mixfront.error"] == "cannot read s3://***@c/d"
    assert json.loads(tags["mixfront.violations"]) == {"flops": 0.3}


def test_values_fit_what_mlflow_takes() -> None:
    assert as_params({"a[0]": [1, 2], "long": "x" * 9000}) == {
        "a_0_": "[1, 2]",
        "long": "x" * 6000,
    }
    assert as_metrics({"auc@5": 1}) == {"auc_5": 1.0}
