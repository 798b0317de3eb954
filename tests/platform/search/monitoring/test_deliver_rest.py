"""A finished search sends MLflow what it still lacks, once."""

import io
from pathlib import Path

import pytest
from mlflow import MlflowClient
from rich.console import Console

from mixfront.exceptions import TrackingError
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.search.monitoring.deliver_rest import deliver_rest
from mixfront.search.study import open_study
from mixfront.spaces import load_space, save_space
from mixfront.spec.search_spec import SearchSpec
from mixfront.tracking.run_contents import search_started, trial_ended, trial_started
from mixfront.tracking.run_update import RunUpdate
from mixfront.tracking.spool import Spool

CONSOLE = Console(file=io.StringIO())


@pytest.fixture
def finished(
    search: SearchRecord, store: RecordStore, trial: TrialRecord, tmp_path: Path
) -> SearchRecord:
    """A search whose updates are only in the spool."""
    search.spec["data"] |= {"schema": "s.yaml", "validation": "day == 2"}
    search.optuna_storage = f"sqlite:///{tmp_path}/study.db"
    search.space = f"{store.url}/space-1.yaml"
    save_space(load_space("demo"), search.space)
    open_study(SearchSpec.model_validate(search.spec), search.optuna_storage, search.search_id)
    search.state, search.ended_because = "finished", "the trial budget is spent"
    trial.started, trial.state, trial.error = 1.0, TrialState.FAILED, "out of memory"
    store.save_search(search)
    store.save_trial(trial)
    spool = Spool(f"{store.url}/spool")
    for seq, (trial_id, fields) in enumerate(
        (
            (None, search_started(search, None, {})),
            (trial.trial_id, trial_started(search, trial)),
            (trial.trial_id, trial_ended(trial)),
        ),
        start=1,
    ):
        spool.append(RunUpdate(seq=seq, time_ms=1, trial_id=trial_id, step=0, **fields))
    spool.close()
    return search


def test_the_rest_is_delivered_once(finished: SearchRecord, store: RecordStore) -> None:
    assert deliver_rest(store, finished, CONSOLE)
    record = store.trial("0")
    assert MlflowClient(finished.tracking_uri).get_run(str(record.run_id)).info.status == "FAILED"
    assert store.search().state == "finished"
    assert not deliver_rest(store, finished, CONSOLE)


def test_a_server_that_is_away_is_named(finished: SearchRecord, store: RecordStore) -> None:
    finished.tracking_uri = "http://127.0.0.1:9"
    with pytest.raises(TrackingError, match=r"127\.0\.0\.1:9"):
        deliver_rest(store, finished, CONSOLE)
