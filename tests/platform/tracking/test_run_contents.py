"""Records as MLflow params, metrics, tags and artifacts."""

import json

import pytest
import yaml

from mixfront.records import SearchRecord, TrialRecord, TrialState
from mixfront.tracking.run_contents import (
    DESCRIPTION_TAG,
    as_metrics,
    as_params,
    search_ended,
    search_started,
    trial_ended,
    trial_started,
)
from mixfront.tracking.run_update import RunStatus, RunUpdate
from mixfront.training.mixing_log import FOLDER


def test_a_searchs_run_has_its_spec_but_no_secrets(search: SearchRecord) -> None:
    search.spec["tracking"] = {"uri": "http://me:hunter2@mlflow"}
    search.spec["data"]["path"] = "s3://key:secret@logs/day"
    fields = search_started(search, {"family": ["unimixer"]}, {"updates.txt": "at s3://a:b@c/d"})
    update = RunUpdate(seq=1, time_ms=0, **fields)
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


def test_a_search_without_a_digest_has_no_data_set(search: SearchRecord) -> None:
    search.dataset_digest = None
    fields = search_started(search, None, {})
    assert fields["dataset"] is None
    assert "space.yaml" not in fields["texts"]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("running", RunStatus.RUNNING),
        ("interrupted", RunStatus.KILLED),
        ("finished", RunStatus.FINISHED),
        ("failed", RunStatus.FAILED),
    ],
)
def test_a_searchs_run_ends_with_its_state(
    search: SearchRecord, state: str, status: RunStatus
) -> None:
    ended = search.model_copy(update={"state": state, "ended_because": "60 trials done"})
    fields = search_ended(ended)
    assert fields["status"] is status
    assert fields["tags"] == {"mixfront.state": state, "mixfront.ended_because": "60 trials done"}


def test_a_trials_run_has_its_configuration_and_costs(
    search: SearchRecord, trial: TrialRecord
) -> None:
    fields = trial_started(search, trial)
    assert fields["params"] == {"family": "unimixer", "block_size": "4", "optimizer.lr": "0.001"}
    assert fields["metrics"] == {"params": 1e6, "flops": 2e9}
    assert fields["tags"]["mixfront.family"] == "unimixer"
    assert fields["status"] is RunStatus.RUNNING


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
def test_a_trials_run_ends_with_its_state(
    trial: TrialRecord, state: TrialState, status: RunStatus
) -> None:
    trial.state = state
    fields = trial_ended(trial)
    assert fields["status"] is status
    assert fields["tags"]["mixfront.state"] == str(state)
    assert ("accelerator_seconds" in fields["metrics"]) == state.is_finished
    assert fields["folders"] == {}  # it never started


def test_pictures_are_logged_when_a_trial_is_finished(trial: TrialRecord) -> None:
    trial.started, trial.state = 1.0, TrialState.COMPLETE
    assert trial_ended(trial)["folders"] == {FOLDER: f"trials/0/{FOLDER}"}
    trial.state = TrialState.INTERRUPTED
    assert trial_ended(trial)["folders"] == {}


def test_a_trials_run_has_its_error_and_violations(trial: TrialRecord) -> None:
    trial.error = "cannot read s3://a:b@c/d"
    trial.violations = {"flops": 0.3, "params": -1.0}
    tags = trial_ended(trial)["tags"]
    assert tags["mixfront.error"] == "cannot read s3://***@c/d"
    assert json.loads(tags["mixfront.violations"]) == {"flops": 0.3}


def test_notes_are_at_the_top_of_a_trials_page(trial: TrialRecord) -> None:
    trial.state = TrialState.COMPLETE
    trial.metrics = {"mixing/global_distance_layer0": 0.5}
    assert DESCRIPTION_TAG not in trial_ended(trial)["tags"]
    trial.metrics = {"mixing/global_distance_layer0": 0.001}
    assert "the global mixing never moved" in trial_ended(trial)["tags"][DESCRIPTION_TAG]


def test_keys_and_values_fit_mlflows_limits() -> None:
    assert as_params({"a[0]": [1, 2], "long": "x" * 9000}) == {
        "a_0_": "[1, 2]",
        "long": "x" * 6000,
    }
    assert as_metrics({"auc@5": 1}) == {"auc_5": 1.0}
