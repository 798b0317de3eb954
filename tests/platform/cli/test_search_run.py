"""`mixfront search list` and `mixfront search resume`, without a cluster."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from typer.testing import CliRunner, Result

from mixfront.cli.app import app
from mixfront.exceptions import ClusterError, SpecError, UnknownNameError
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.search.driver.lease_table import LeaseTable
from mixfront.spec.objectives import Objective


@pytest.fixture
def storage(tmp_path: Path) -> str:
    save_search(tmp_path, "done", "finished")
    save_search(tmp_path, "cut", "interrupted")
    return str(tmp_path)


State = Literal["finished", "interrupted", "running"]


def save_search(folder: Path, name: str, state: State, optuna_storage: str = "sqlite://") -> None:
    store = RecordStore(str(folder), name)
    store.create(
        SearchRecord(
            search_id=f"{name}-1",
            name=name,
            spec={},
            objectives=[Objective(metric="auc", direction="max")],
            reference_point=[0.5],
            optuna_storage=optuna_storage,
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


@pytest.fixture
def running(tmp_path: Path) -> Callable[[float], str]:
    """The storage of a running search, whose driver renewed its lease some seconds ago."""

    def make(age: float) -> str:
        url = f"sqlite:///{tmp_path}/optuna.db"
        save_search(tmp_path, "here", "running", url)
        table = LeaseTable(url, clock=lambda: time.time() - age)
        table.create()
        table.insert("here-1", "another-machine:1:2:key", "ann@gpu-3 pid 4711")
        return str(tmp_path)

    return make


def search(*words: str) -> Result:
    return CliRunner().invoke(app, ["search", *words])


def test_status_names_the_driver(running: Callable[[float], str]) -> None:
    storage = running(5)
    assert (
        "search here: running (ann@gpu-3 pid 4711, since 20"
        in search("status", "here", "--storage", storage).stdout
    )
    driver = json.loads(search("status", "here", "--storage", storage, "--json").stdout)["driver"]
    assert driver["is_alive"]
    assert "driver is gone" not in search("list", "--storage", storage).stdout


def test_a_driver_without_a_heartbeat_is_gone(running: Callable[[float], str]) -> None:
    storage = running(31)
    shown = search("status", "here", "--storage", storage).stdout
    assert "search here: its driver is gone (ann@gpu-3 pid 4711, since 20" in shown
    assert "resume it with: mixfront search resume here" in shown
    listed = search("list", "--storage", storage).stdout
    assert "driver is gone" in listed
    assert "resume it with: mixfront search resume here" in listed
    rows = json.loads(search("list", "--storage", storage, "--json").stdout)
    assert [(row["state"], row["driver"]["is_alive"]) for row in rows] == [("running", False)]
    stopped = search("stop", "here", "--storage", storage)
    assert "cannot be stopped: its driver is gone" in str(stopped.exception)


def test_a_driver_that_cannot_be_looked_up_is_not_judged(tmp_path: Path) -> None:
    save_search(tmp_path, "here", "running", "postgresql://***@db/optuna")
    assert (
        "search here: running, the trial budget"
        in search("status", "here", "--storage", str(tmp_path)).stdout
    )


def test_a_search_is_extended_under_its_lease(
    storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RecordStore(storage, "done")
    record = store.search()
    record.spec = {
        "name": "done",
        "data": {"path": "/data", "schema": "/schema.yaml", "validation": "day == 2"},
        "search": {"trials": 2},
    }
    record.optuna_storage = f"sqlite:///{storage}/optuna.db"
    store.save_search(record)
    driven: list[SearchRecord] = []

    def connect(*_: object) -> None:
        driven.append(store.search())
        raise ClusterError("no cluster")

    monkeypatch.setattr("mixfront.cluster.connection.connect", connect)
    done = search("resume", "done", "--storage", storage, "-o", "search.trials=+20")
    assert isinstance(done.exception, ClusterError)
    assert [record.spec["search"]["trials"] for record in driven] == [22]
    assert driven[0].extensions[0].before == {"search.trials": 2}
    search("resume", "done", "--storage", storage)  # Ray did not start the first time
    assert [record.spec["search"]["trials"] for record in driven] == [22, 22]


def test_only_the_budget_of_a_started_search_changes(storage: str) -> None:
    done = search("resume", "done", "--storage", storage, "-o", "training.passes=2")
    assert isinstance(done.exception, SpecError)
    assert "only its budget can change" in str(done.exception)
