"""`mixfront promote` and `mixfront rollback` before they reach MLflow."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mixfront.cli.app import app
from mixfront.exceptions import PromotionError, TrackingError, UnknownNameError, UsageError
from mixfront.records.store import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective


@pytest.fixture
def search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Folder of a search: trial 0 is best, 1 is dominated."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    store = RecordStore(str(tmp_path), "clicks")
    store.create(
        SearchRecord(
            search_id="clicks-00000000",
            name="clicks",
            spec={},
            objectives=[Objective(metric="auc", direction="max")],
            reference_point=[0.5],
            optuna_storage="",
            tracking_uri="",
            experiment="",
        )
    )
    for number, auc in enumerate((0.75, 0.70)):
        store.save_trial(
            TrialRecord(
                trial_id=str(number),
                family="unimixer",
                config={},
                state=TrialState.COMPLETE,
                values={"auc": auc},
                model_url=f"{store.trial_url(str(number))}/final",
            )
        )
    return store.url


def _call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_dominated_trial(search: str) -> None:
    result = _call("promote", search, "--trial", "1", "--name", "ranker").exception
    assert isinstance(result, PromotionError)
    assert "dominated by trial 0" in str(result)


def test_a_picked_trial_gets_as_far_as_mlflow(search: str) -> None:
    result = _call("promote", search, "--pick", "best:auc", "--name", "ranker")
    assert isinstance(result.exception, TrackingError)
    assert result.output.startswith("Trial 0 (unimixer) is complete, feasible and not dominated.")


@pytest.mark.parametrize("words", [[], ["--trial", "0", "--pick", "knee"]])
def test_exactly_one_of_trial_and_pick_is_needed(search: str, words: list[str]) -> None:
    result = _call("promote", search, "--name", "ranker", *words).exception
    assert isinstance(result, UsageError)
    assert "either --trial ID or --pick" in str(result)


def test_unknown_trial(search: str) -> None:
    result = _call("promote", search, "--trial", "9", "--name", "ranker").exception
    assert isinstance(result, UnknownNameError)


def test_rollback_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    result = _call("rollback", "ranker").exception
    assert isinstance(result, UsageError)
    assert "set MLFLOW_TRACKING_URI" in str(result)


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_help_has_an_example(command: str) -> None:
    assert f"Example: mixfront {command}" in _call(command, "--help").output


@pytest.mark.parametrize("command", ["submit", "status", "logs", "stop"])
def test_help_of_search_has_an_example(command: str) -> None:
    assert f"Example: mixfront search {command}" in _call("search", command, "--help").output


def test_status_of_a_search_that_was_not_submitted(
    search: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    status = json.loads(_call("search", "status", search, "--json").output)
    assert status["state"] == "running"
    assert status["trials"] == {"complete": 2}
    assert status["job"] is None


def test_stop_of_a_search_that_is_not_running(
    search: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    store = RecordStore(*search.rsplit("/", 1))
    store.save_search(store.search().model_copy(update={"state": "finished"}))
    result = _call("search", "stop", search).exception
    assert isinstance(result, UsageError)
    assert "'clicks' is not running" in str(result)
