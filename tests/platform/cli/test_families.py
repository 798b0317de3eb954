"""`mixfront families`."""

import json

import pytest
import typer
from typer.testing import CliRunner

from mixfront.cli.families import register
from mixfront.exceptions import UnknownNameError
from mixfront.models import FAMILIES

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
        assert all(item.keys() == {"default", "range", "help"} for item in keys.values())
    assert listed["unimixer_lite"]["rank"]["default"] == 16
    assert listed["unimixer_lite"]["num_bases"]["range"] == {"min": 1, "max": 256}


def test_table_names_families_and_keys() -> None:
    result = runner.invoke(app, [], env={"COLUMNS": "160"})

    assert result.exit_code == 0
    for word in (*FAMILIES, "block_size", "siamese | plain", "arXiv 2604.00590"):
        assert word in result.stdout


def test_one_family_only() -> None:
    (entry,) = json.loads(runner.invoke(app, ["rankmixer", "--json"]).stdout)
    assert entry["name"] == "rankmixer"


def test_unknown_family() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'rankmixer'"):
        runner.invoke(app, ["rankmixr"], catch_exceptions=False)
