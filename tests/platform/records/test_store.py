"""Records in storage."""

import json
import math
from pathlib import Path

import pytest

from mixfront.exceptions import SpecError, TrackingError, UnknownNameError
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState, list_searches


def test_records_are_read_back_unchanged(
    store: RecordStore, search: SearchRecord, trial: TrialRecord
) -> None:
    store.save_trial(trial)
    assert store.search() == search
    assert store.trial("0") == trial
    assert store.trials() == [trial]


def test_nan_and_infinite_metrics_are_read_back(store: RecordStore, trial: TrialRecord) -> None:
    trial.metrics = {"uauc": math.nan, "logloss": math.inf}
    store.save_trial(trial)
    metrics = store.trial("0").metrics
    assert math.isnan(metrics["uauc"])
    assert metrics["logloss"] == math.inf


def test_a_record_of_version_0_1_can_be_read(store: RecordStore, trial: TrialRecord) -> None:
    old = trial.model_dump(mode="json", exclude={"model_url"}) | {"final": "s3://m/trials/0/final"}
    path = Path(store.url) / "trials" / "0" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(old))
    assert store.trial("0").model_url == "s3://m/trials/0/final"


def test_trials_are_ordered_by_number(store: RecordStore, trial: TrialRecord) -> None:
    for number in (10, 9, 2):
        store.save_trial(trial.model_copy(update={"trial_id": str(number)}))
    assert [record.trial_id for record in store.trials()] == ["2", "9", "10"]


def test_a_search_name_can_only_be_used_once(store: RecordStore, search: SearchRecord) -> None:
    with pytest.raises(SpecError, match="mixfront search resume demo"):
        store.create(search)


def test_unknown_names_suggest_existing_ones(store: RecordStore, trial: TrialRecord) -> None:
    store.save_trial(trial)
    storage = store.url.rsplit("/", 1)[0]
    with pytest.raises(UnknownNameError, match="did you mean 'demo'"):
        RecordStore(storage, "demos").search()
    with pytest.raises(UnknownNameError, match="unknown trial '7'"):
        store.trial("7")
    assert list_searches(storage) == ["demo"]


def test_the_error_names_a_damaged_record(store: RecordStore, trial: TrialRecord) -> None:
    store.save_trial(trial)
    path = Path(store.trial_url("0")) / "record.json"
    path.write_text(path.read_text()[:20])
    with pytest.raises(TrackingError, match=r"trials/0/record\.json is not a TrialRecord"):
        store.trials()


def test_only_running_and_interrupted_trials_are_unfinished() -> None:
    open_states = {state for state in TrialState if not state.is_finished}
    assert open_states == {TrialState.RUNNING, TrialState.INTERRUPTED}


def test_records_can_be_in_an_object_store(search: SearchRecord, trial: TrialRecord) -> None:
    store = RecordStore("memory://records", "demo")
    store.create(search)
    store.save_trial(trial)
    assert RecordStore("memory://records", "demo").trials() == [trial]
