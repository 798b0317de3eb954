"""`mixfront search validate`."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from mixfront.cli.search_app import search_app
from mixfront.data.row_counts import count_rows
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.exceptions import DataError, MixfrontError, SchemaError
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
    if len(search_app.registered_commands) == 1:  # typer drops the name of a single command
        search_app.command("other")(lambda: None)
    result = CliRunner().invoke(search_app, ["validate", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_it_prints_a_summary(tmp_path: Path) -> None:
    text = run("demo", "-o", "search.trials=5")
    assert "unimixer, unimixer_lite, rankmixer" in text
    assert "5 trials" in text
    assert "4 of 4 configurations sampled" in text
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
        ("constraints.params=<= 3", "none of 4 configurations sampled"),
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
    with pytest.raises(DataError, match="'date == 20300101' selects no rows"):
        count_rows(load_spec("demo", ["data.validation=date == 20300101"]).data)
    schema = tmp_path / "demo-data/schema.yaml"
    schema.write_text(schema.read_text().replace("label: ", "label: no_"))
    with pytest.raises(SchemaError, match="has no column 'no_"):
        count_rows(load_spec("demo").data)


def write_logs(tmp_path: Path, times: Any) -> None:
    """Write two days of logs with `times` in `seen_at` of every row."""
    for day in (1, 2):
        table = pa.table(
            {
                "day": [dt.date(2026, 1, day)] * 2,
                "at": pa.array([10**12] * 2),
                "user": ["u", "v"],
                "seen": [[1], [2]],
                "seen_at": [times] * 2,
                "click": [0, 1],
            }
        )
        pq.write_table(table, tmp_path / f"{day}.parquet")
    (tmp_path / "schema.yaml").write_text(
        "{label: click, user: user, time: at, time_unit: ms, features: ["
        "{name: seen, kind: sequence, domain: behaviour, length: 3, times: seen_at}]}"
    )


def validate_logs(tmp_path: Path, train: str, validation: str) -> dict[str, int]:
    changes = [
        f"data.path={tmp_path}",
        f"data.schema={tmp_path}/schema.yaml",
        f"data.train={train}",
        f"data.validation={validation}",
        "data.test=null",
    ]
    overrides = [word for change in changes for word in ("-o", change)]
    rows: dict[str, int] = json.loads(run("demo", "--data", "--json", *overrides))["rows"]
    return rows


def test_times_that_the_encoder_would_refuse_are_refused(tmp_path: Path) -> None:
    write_logs(tmp_path, [True])
    with pytest.raises(SchemaError, match="'seen_at' holds bool"):
        validate_logs(tmp_path, "at > 0", "at > 0")


def test_filters_on_dates(tmp_path: Path) -> None:
    write_logs(tmp_path, [10**12])
    rows = validate_logs(tmp_path, "day == '2026-01-01'", "day > '2026-01-01'")
    assert rows == {"train": 2, "validation": 2}


def test_no_password_is_printed() -> None:
    text = run("demo", "--json", "-o", "optuna_storage=postgresql://me:secret@host/db")
    assert json.loads(text)["spec"]["optuna_storage"] == "postgresql://***@host/db"
