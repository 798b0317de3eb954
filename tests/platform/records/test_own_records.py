"""Records of searches that were moved, and records that were changed by hand."""

import shutil
from pathlib import Path

import pytest

from mixfront.exceptions import StorageError
from mixfront.records import RecordStore, SearchRecord, TrialRecord
from mixfront.records.own_records import own_search, own_trial


@pytest.fixture
def recorded(search: SearchRecord, store: RecordStore) -> SearchRecord:
    """The record of a search with everything in its folder."""
    storage = store.url.rsplit("/", 1)[0]
    return search.model_copy(
        update={
            "encoder": f"{store.url}/encoder",
            "space": f"{store.url}/space.yaml",
            "optuna_storage": f"sqlite:///{store.url}/optuna.db",
            "spec": {**search.spec, "storage": storage, "space": f"{store.url}/space.yaml"},
        }
    )


def test_records_of_a_search_that_stayed_are_unchanged(
    recorded: SearchRecord, store: RecordStore, trial: TrialRecord
) -> None:
    trial.checkpoint = f"{store.trial_url('0')}/step-8"
    trial.model_url = f"{store.trial_url('0')}/final"
    assert own_search(store, recorded) == recorded
    assert own_trial(store, recorded, trial) == trial


def test_a_moved_search_is_used_where_it_is(
    recorded: SearchRecord, store: RecordStore, trial: TrialRecord, tmp_path: Path
) -> None:
    trial.checkpoint = f"{store.trial_url('0')}/step-8"
    trial.model_url = f"{store.trial_url('0')}/final"
    shutil.move(store.url, tmp_path / "archive")
    moved = RecordStore(str(tmp_path), "archive")
    search = own_search(moved, recorded)
    assert search.encoder == f"{moved.url}/encoder"
    assert search.space == f"{moved.url}/space.yaml"
    assert search.optuna_storage == f"sqlite:///{moved.url}/optuna.db"
    assert search.spec["space"] == f"{moved.url}/space.yaml"
    own = own_trial(moved, recorded, trial)
    assert own.checkpoint == f"{moved.url}/trials/0/step-8"
    assert own.model_url == f"{moved.url}/trials/0/final"


def test_a_study_and_a_space_elsewhere_are_kept(
    recorded: SearchRecord, store: RecordStore
) -> None:
    for study in ("postgresql://db/optuna", "sqlite:////elsewhere/optuna.db"):
        search = recorded.model_copy(
            update={"optuna_storage": study, "spec": {**recorded.spec, "space": "all_families"}}
        )
        assert own_search(store, search) == search


def test_locations_outside_are_refused(
    recorded: SearchRecord, store: RecordStore, trial: TrialRecord
) -> None:
    planted = "s3://elsewhere/demo/trials/0/final"
    for what in ("encoder", "space"):
        search = recorded.model_copy(update={what: planted})
        with pytest.raises(StorageError, match=f"the {what} of 'demo' is at '{planted}'"):
            own_search(store, search)
    changed = trial.model_copy(update={"checkpoint": planted})
    with pytest.raises(StorageError, match=f"the checkpoint of trial 0 is at '{planted}'"):
        own_trial(store, recorded, changed)
    changed = trial.model_copy(update={"model_url": planted})
    with pytest.raises(StorageError, match=f"exported model of trial 0 is at '{planted}'"):
        own_trial(store, recorded, changed)
