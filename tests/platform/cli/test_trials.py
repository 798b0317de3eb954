"""`mixfront trials`."""

import json
import math
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mixfront.cli import trials as command
from mixfront.exceptions import UnknownNameError
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    command.register(app)
    return app


@pytest.fixture
def storage(tmp_path: Path) -> str:
    search = SearchRecord(
        search_id="demo-1",
        name="demo",
        spec={},
        objectives=[
            Objective(metric="auc", direction="max"),
            Objective(metric="flops", direction="min"),
        ],
        reference_point=[0.5, 12.0],
        optuna_storage="",
        tracking_uri="",
        experiment="",
    )
    store = RecordStore(str(tmp_path), "demo")
    store.create(search)
    config = {"family": "unimixer", "rank": 4}
    for record in (
        TrialRecord(
            trial_id="0",
            family="unimixer",
            config=config,
            state=TrialState.COMPLETE,
            fidelity=1.0,
            values={"auc": 0.7, "flops": 1e9},
            run_id="abc",
        ),
        TrialRecord(
            trial_id="1",
            family="unimixer",
            config=config,
            state=TrialState.FAILED,
            fidelity=0.25,
            values={"auc": math.nan},
            error="loss is not finite [step 3]",
        ),
        TrialRecord(
            trial_id="2",
            family="unimixer",
            config=config,
            state=TrialState.INFEASIBLE,
            costs={"flops": 9e12},
            violations={"flops": 1.2, "params": -1.0},
        ),
    ):
        store.save_trial(record)
    return str(tmp_path)


def test_table(app: typer.Typer, storage: str) -> None:
    result = CliRunner().invoke(app, ["demo", "--storage", storage], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert lines[1] == ["0*", "complete", "unimixer", "100%", "0.70000", "1G", "rank=4"]
    assert "loss is not finite [step 3]" in result.output
    assert "violates the constraint on flops" in result.output
    assert "9T" in result.output
    assert "1 complete, 1 failed, 1 infeasible" in result.output


def test_json(app: typer.Typer, storage: str) -> None:
    result = CliRunner().invoke(app, ["demo", "--storage", storage, "--json"])
    printed = json.loads(result.output)
    assert printed[0] == {
        "trial_id": "0",
        "family": "unimixer",
        "state": "complete",
        "fidelity": 1.0,
        "values": {"auc": 0.7, "flops": 1e9},
        "config": {"family": "unimixer", "rank": 4},
        "run_id": "abc",
        "notes": [],
    }
    assert printed[1]["values"] == {"auc": None}


def test_notes_follow_the_table(app: typer.Typer, storage: str) -> None:
    store = RecordStore(storage, "demo")
    still = {"mixing/local_distance_layer0": 0.001}
    store.save_trial(store.trial("0").model_copy(update={"metrics": still}))
    result = CliRunner().invoke(app, ["demo", "--storage", storage])
    assert "note: trial 0: the local mixing never moved" in result.output
    as_json = CliRunner().invoke(app, ["demo", "--storage", storage, "--json"])
    assert len(json.loads(as_json.output)[0]["notes"]) == 1


def test_storage_from_the_environment(app: typer.Typer, storage: str) -> None:
    result = CliRunner().invoke(app, ["demo", "--json"], env={"MIXFRONT_STORAGE": storage})
    assert len(json.loads(result.output)) == 3


def test_unknown_search(app: typer.Typer, storage: str) -> None:
    result = CliRunner().invoke(app, ["dmo", "--storage", storage])
    assert isinstance(result.exception, UnknownNameError)
    assert "did you mean 'demo'" in str(result.exception)


def test_brackets_in_a_record_are_text(app: typer.Typer, storage: str) -> None:
    store = RecordStore(storage, "demo")
    store.save_trial(store.trial("0").model_copy(update={"family": "[/red]"}))
    result = CliRunner().invoke(app, ["demo", "--storage", storage])
    assert result.exit_code == 0
    assert "[/red]" in result.output
