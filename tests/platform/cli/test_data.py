"""`mixfront data` from the command line."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from mixfront.cli.data import register
from mixfront.data.schema import load_schema
from mixfront.exceptions import UsageError


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["data", *arguments])


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = str(tmp_path_factory.mktemp("cli") / "logs")
    assert run("synth", out, "--rows", "1500", "--seed", "2").exit_code == 0
    return out


def test_synth_prints_the_best_auc_and_the_filters(tmp_path: Path) -> None:
    result = run("synth", str(tmp_path / "logs"), "--rows", "1000")
    assert result.exit_code == 0
    assert "Wrote 1,000 impressions" in result.output
    assert "no model can do better" in result.output
    assert 'train: "date <= 20260105"' in result.output


def test_synth_as_json(tmp_path: Path) -> None:
    result = run("synth", str(tmp_path / "logs"), "--rows", "1000", "--json")
    report = json.loads(result.output)
    assert report["num_rows"] == 1000
    assert report["additive_auc"] < report["bayes_auc"]
    assert set(report["filters"]) == {"train", "validation", "test"}


def test_synth_does_not_overwrite(logs: str) -> None:
    result = run("synth", logs)
    assert isinstance(result.exception, UsageError)


def test_inspect_prints_columns_and_a_schema(logs: str) -> None:
    result = run("inspect", logs)
    assert result.exit_code == 0
    assert "1,500 rows" in result.output
    assert "- {name: item_id, kind: categorical, domain: item}" in result.output


def test_inspect_writes_a_schema_that_loads(logs: str, tmp_path: Path) -> None:
    out = tmp_path / "schema.yaml"
    result = run("inspect", logs, "--label", "click", "--user", "user_id", "--out", str(out))
    assert result.exit_code == 0
    assert load_schema(str(out)).label == "click"
    again = run("inspect", logs, "--out", str(out))
    assert isinstance(again.exception, UsageError)


def test_inspect_as_json(logs: str) -> None:
    report = json.loads(run("inspect", logs, "--json").output)
    assert report["num_rows"] == 1500
    assert {column["name"] for column in report["columns"]} >= {"item_id", "date"}
    assert report["schema"]["label"] == "click"
    assert 0.5 <= report["label_auc"]["item_id"] < 0.8


@pytest.mark.parametrize("command", ["synth", "inspect"])
def test_help_has_an_example(command: str) -> None:
    assert "Example" in run(command, "--help").output
