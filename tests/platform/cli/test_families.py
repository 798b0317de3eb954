"""`mixfront families`."""

import json
from dataclasses import replace

import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from mixfront.cli.families import register
from mixfront.exceptions import UnknownNameError
from mixfront.models import FAMILIES, RankerConfig


class PlugInConfig(RankerConfig):
    depth: int = Field(3, ge=1, description="number of levels")


app = typer.Typer()
register(app)
runner = CliRunner()


def test_json_lists_every_family_with_its_keys() -> None:
    result = runner.invoke(app, ["--json"])

    listed = {entry["name"]: entry["hyperparameters"] for entry in json.loads(result.stdout)}
    assert result.exit_code == 0
    assert listed.keys() == FAMILIES.keys()
    for keys in listed.values():
        assert {"num_tokens", "token_dim", "num_blocks"} <= keys.keys()
        shown = {"default", "default_from", "range", "help"}
        assert all(item.keys() == shown for item in keys.values())
    assert listed["unimixer_lite"]["rank"]["default"] == 16
    assert listed["unimixer_lite"]["tau_end"]["default_from"] == "paper"
    assert listed["unimixer_lite"]["num_bases"]["range"] == {"min": 1, "max": 256}


def test_table_names_families_and_keys() -> None:
    result = runner.invoke(app, [], env={"COLUMNS": "160"})

    assert result.exit_code == 0
    for word in (*FAMILIES, "block_size", "siamese | plain", "arXiv 2604.00590"):
        assert word in result.stdout


def test_table_says_where_each_default_comes_from() -> None:
    lines = runner.invoke(app, ["unimixer_lite"], env={"COLUMNS": "160"}).stdout.splitlines()
    rows = {line.split()[0]: line for line in lines if line}

    assert "default from" in rows["hyperparameter"]
    assert " paper " in rows["tau_end"]
    assert " authors' code " in rows["block_size"]
    assert " ours " in rows["sinkhorn_iters"]


def test_a_family_need_not_say_where_its_defaults_come_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    family = replace(FAMILIES["rankmixer"], name="plugged_in", config=PlugInConfig)
    monkeypatch.setitem(FAMILIES, "plugged_in", family)

    (entry,) = json.loads(runner.invoke(app, ["plugged_in", "--json"]).stdout)
    table = runner.invoke(app, ["plugged_in"], env={"COLUMNS": "160"})

    assert entry["hyperparameters"]["depth"]["default_from"] is None
    assert table.exit_code == 0
    assert "None" not in table.stdout


def test_one_family_only() -> None:
    (entry,) = json.loads(runner.invoke(app, ["rankmixer", "--json"]).stdout)
    assert entry["name"] == "rankmixer"


def test_unknown_family() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'rankmixer'"):
        runner.invoke(app, ["rankmixr"], catch_exceptions=False)
