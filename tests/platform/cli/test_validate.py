"""`mixfront search validate`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mixfront.cli.search_app import search_app
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.exceptions import DataError, MixfrontError, SchemaError
from mixfront.search.dry_run import count_rows
from mixfront.spec.search_spec import load_spec


@pytest.fixture(autouse=True)
def _work_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mixfront.cli.validate.SAMPLES", 4)
    for name in ("MLFLOW_TRACKING_URI", "OPTUNA_STORAGE", "MIXFRONT_STORAGE"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str) -> str:
    import mixfront.cli.validate  # the command is in the group once it is registered

    if not any(command.name == "validate" for command in search_app.registered_commands):
        mixfront.cli.validate.register(search_app)
    if len(search_app.registered_commands) == 1:  # typer drops the name of an only command
        search_app.command("other")(lambda: None)
    found = CliRunner().invoke(search_app, ["validate", *arguments])
    if found.exception is not None:
        raise found.exception
    return found.output


def test_it_tells_what_would_be_searched(tmp_path: Path) -> None:
    text = run("demo", "-o", "search.trials=5")
    assert "unimixer, unimixer_lite, rankmixer" in text
    assert "5 trials" in text
    assert "4 of 4 configurations drawn" in text
    assert "The spec is valid." in text
    assert list(tmp_path.iterdir()) == []  # nothing is written


def test_json() -> None:
    report = json.loads(run("demo", "--json"))
    assert report["spec"]["name"] == "demo"
    assert set(report["space"]["families"]) == {"unimixer", "unimixer_lite", "rankmixer"}
    assert report["sample"]["drawn"] == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.train=date <", "filter 'date <'"),
        ("space=smal", "unknown space 'smal': did you mean 'small'"),
        ("constraints.params=<= 3", "not one of 4 configurations drawn"),
        ("search.enqueue=[{family: rankmixer, num_blocks: 9}]", "'num_blocks' is 9"),
    ],
)
def test_bad_specs(override: str, message: str) -> None:
    with pytest.raises(MixfrontError, match=message) as caught:
        run("demo", "-o", override)
    assert caught.value.exit_status == 2


def test_with_the_data(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "demo-data", 2000, 0)
    rows = json.loads(run("demo", "--data", "--json"))["rows"]
    assert sum(rows.values()) == 2000
    assert set(rows) == {"train", "validation", "test"}
    with pytest.raises(DataError, match=r"data\.validation 'date == 20300101' selects no row"):
        count_rows(load_spec("demo", ["data.validation=date == 20300101"]))
    schema = tmp_path / "demo-data/schema.yaml"
    schema.write_text(schema.read_text().replace("label: ", "label: no_"))
    with pytest.raises(SchemaError, match="has no column 'no_"):
        count_rows(load_spec("demo"))


def test_no_password_is_printed() -> None:
    text = run("demo", "--json", "-o", "optuna_storage=postgresql://me:secret@host/db")
    assert json.loads(text)["spec"]["optuna_storage"] == "postgresql://***@host/db"
