"""`mixfront cost`."""

import json
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mixfront.cli.cost import human, parse_options, register
from mixfront.exceptions import SpecError, UsageError

app = typer.Typer()
register(app)
runner = CliRunner()


def cost_json(*arguments: str) -> dict[str, Any]:
    result = runner.invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_json_keys() -> None:
    report = cost_json("unimixer_lite", "-o", "rank=8", "-o", "num_bases=3", "--batch-size", "64")

    assert report["family"] == "unimixer_lite"
    assert report["config"]["rank"] == 8
    assert report["batch_size"] == 64
    assert {"embedding", "tokenizer", "blocks", "head", "dense"} <= report["params"].keys()
    assert {"forward_per_sample", "train_per_batch"} <= report["flops"].keys()
    assert {"tokenizer", "blocks", "head", "total"} <= report["flops"]["train_per_batch"].keys()
    memory = report["memory"]
    assert memory["activation_bytes_per_batch"] == (
        64 * memory["activation_bytes_per_sample"] + memory["activation_bytes_per_step"]
    )


def test_chunk_dim_is_the_tokenizers_input_width() -> None:
    wide = cost_json("rankmixer", "-o", "chunk_dim=100")
    default, same = cost_json("rankmixer"), cost_json("rankmixer", "-o", "chunk_dim=64")
    assert wide["params"]["tokenizer"] == 16 * (100 * 64 + 64)
    assert default == same


def test_values_are_read_as_yaml() -> None:
    report = cost_json("unimixer", "-o", "head_hidden=[32, 16]", "-o", "symmetric=false")
    assert report["config"]["head_hidden"] == [32, 16]
    assert report["config"]["symmetric"] is False


def test_table() -> None:
    shape = ("-o", "num_tokens=32", "-o", "token_dim=128", "-o", "block_size=4")
    result = runner.invoke(app, ["unimixer", *shape], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    for word in ("blocks", "6.363 M", "155.6", "batch of 2,048", "Activations", "MB per batch"):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["unimxer"], "did you mean 'unimixer'"),
        (["unimixer", "-o", "blok_size=4"], "did you mean 'block_size'"),
        (["unimixer", "-o", "block_size=7"], "block_size 7 does not divide"),
        (["unimixer", "-o", "block_size=four"], "'block_size' is 'four'"),
        (["unimixer", "-o", "block_size"], "write -o key=value"),
        (["unimixer", "-o", "chunk_dim=0"], "chunk_dim is 0"),
        (["unimixer", "-o", "num_tokens=!!python/object/apply:os.getcwd []"], "plain YAML"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        runner.invoke(app, arguments, catch_exceptions=False)
    assert "\n" not in str(caught.value)


def test_options() -> None:
    assert parse_options(["a=1", "b=x", "a=1e3"]) == {"a": 1000.0, "b": "x"}
    with pytest.raises(SpecError):
        parse_options(["=1"])


@pytest.mark.parametrize(
    ("number", "text"), [(12, "12"), (12_345, "12.345 k"), (2_070_000_000_000, "2.070 T")]
)
def test_human(number: int, text: str) -> None:
    assert human(number) == text
