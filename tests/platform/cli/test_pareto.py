"""`mixfront pareto`."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mixfront.cli import pareto as command
from mixfront.exceptions import UsageError
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    command.register(app)
    return app


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
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
    return store


@pytest.fixture
def with_trials(store: RecordStore) -> RecordStore:
    for number, (auc, flops) in enumerate([(0.7, 1e9), (0.75, 1e10), (0.6, 1e10)]):
        record = TrialRecord(
            trial_id=str(number),
            family="unimixer",
            config={"rank": 4},
            state=TrialState.COMPLETE,
            values={"auc": auc, "flops": flops},
        )
        store.save_trial(record)
    return store


def test_table(app: typer.Typer, with_trials: RecordStore) -> None:
    result = CliRunner().invoke(app, [with_trials.url])
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines()]
    assert rows[1] == ["1", "unimixer", "0.75000", "10G", "rank=4"]
    assert rows[2] == ["0", "unimixer", "0.70000", "1G", "rank=4"]
    assert "2 of 3 complete trials are on the front" in result.output


def test_json(app: typer.Typer, with_trials: RecordStore) -> None:
    result = CliRunner().invoke(app, [with_trials.url, "--json"])
    printed = json.loads(result.output)
    assert [member["trial_id"] for member in printed["front"]] == ["1", "0"]
    assert printed["trials"]["complete"] == 3


def test_page_and_picture(app: typer.Typer, with_trials: RecordStore, tmp_path: Path) -> None:
    page, picture = tmp_path / "new" / "front.html", tmp_path / "front.svg"
    words = [with_trials.url, "--html", str(page), "--picture", str(picture)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "front.html" in result.output
    assert page.read_text().startswith("<!doctype html>")
    assert picture.exists()


def test_a_page_that_cannot_be_written(
    app: typer.Typer, with_trials: RecordStore, tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, [with_trials.url, "--html", str(tmp_path)])
    assert isinstance(result.exception, UsageError)
    assert "cannot write" in str(result.exception)


def test_no_front_yet(app: typer.Typer, store: RecordStore) -> None:
    result = CliRunner().invoke(app, [store.url])
    assert result.exit_code == 0
    assert "no complete, feasible trial yet" in result.output


def test_brackets_in_a_record_are_text(app: typer.Typer, with_trials: RecordStore) -> None:
    with_trials.save_trial(with_trials.trial("1").model_copy(update={"family": "[/red]"}))
    result = CliRunner().invoke(app, [with_trials.url])
    assert result.exit_code == 0
    assert "[/red]" in result.output
