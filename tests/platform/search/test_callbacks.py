"""What a trial's events do in MLflow."""

import io
import json
from pathlib import Path

from mlflow import MlflowClient
from rich.console import Console

from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.search.callbacks import TrackingCallbacks
from mixfront.search.limits.budget import Budget
from mixfront.search.monitoring.progress import ProgressDisplay
from mixfront.spaces import Space
from mixfront.spec.search_config import SearchConfig


def test_a_refused_configuration_is_a_row_and_a_failed_trial_a_run(
    search: SearchRecord, store: RecordStore, trial: TrialRecord
) -> None:
    budget = Budget(SearchConfig(trials=3))
    progress = ProgressDisplay(search, [], budget, Console(file=io.StringIO()))
    space = Space(name="fake", families={"unimixer": {}}, shared={})
    refused = trial.model_copy(update={"trial_id": "1", "state": TrialState.INFEASIBLE})
    with TrackingCallbacks(search, store, space, progress) as callbacks:
        store.save_trial(refused)
        callbacks.on_end(refused)
        callbacks.on_start(trial)
        trial.started, trial.state = 1.0, TrialState.FAILED
        store.save_trial(trial)
        callbacks.on_end(trial)
    assert callbacks.delivered
    assert store.trial("1").run_id is None
    client = MlflowClient(search.tracking_uri)
    assert client.get_run(str(store.trial("0").run_id)).info.status == "FAILED"
    run = client.get_run(str(search.run_id))
    table = Path(run.info.artifact_uri.removeprefix("file://")) / "infeasible.json"
    assert json.loads(table.read_text())["data"][0][:2] == ["1", "unimixer"]
