"""`mixfront search list` and `mixfront search resume`, without a cluster."""

import json
from pathlib import Path
from typing import Literal

import pytest
from typer.testing import CliRunner

from mixfront.cli.app import app
from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective


@pytest.fixture
def storage(tmp_path: Path) -> str:
    save_search(tmp_path, "done", "finished")
    save_search(tmp_path, "cut", "interrupted")
    return str(tmp_path)


def save_search(folder: Path, name: str, state: Literal["finished", "interrupted"]) -> None:
    store = RecordStore(str(folder), name)
    store.create(
        SearchRecord(
            search_id=f"{name}-1",
            name=name,
            spec={},
            objectives=[Objective(metric="auc", direction="max")],
            reference_point=[0.5],
            optuna_storage="sqlite://",
            tracking_uri="sqlite://",
            experiment="e",
            state=state,
            ended_because="the trial budget is spent: 2 of 2 trials",
        )
    )
    for number, ended in enumerate([TrialState.COMPLETE, TrialState.FAILED]):
        store.save_trial(
            TrialRecord(trial_id=str(number), family="unimixer", config={}, state=ended)
        )


def test_list_counts_trials(storage: str) -> None:
    done = CliRunner().invoke(app, ["search", "list", "--storage", storage, "--json"])
    assert done.exit_code == 0
    rows = json.loads(done.stdout)
    assert [(r["name"], r["state"], r["trials"], r["complete"]) for r in rows] == [
        ("cut", "interrupted", 2, 1),
        ("done", "finished", 2, 1),
    ]


def test_list_is_a_table(storage: str) -> None:
    done = CliRunner().invoke(app, ["search", "list", "--storage", storage])
    assert "interrupted" in done.stdout
    assert "finished" in done.stdout


def test_list_of_an_empty_storage(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["search", "list", "--storage", str(tmp_path), "--json"])
    assert json.loads(done.stdout) == []


def test_a_finished_search_is_not_resumed(storage: str) -> None:
    done = CliRunner().invoke(app, ["search", "resume", "done", "--storage", storage])
    assert isinstance(done.exception, SpecError)
    assert "search 'done' has finished" in str(done.exception)


def test_an_unknown_search_names_the_closest(storage: str) -> None:
    done = CliRunner().invoke(app, ["search", "resume", "dune", "--storage", storage])
    assert isinstance(done.exception, UnknownNameError)
    assert "did you mean 'done'?" in str(done.exception)
