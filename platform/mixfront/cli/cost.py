"""`mixfront cost`: parameters, FLOPs and memory of one configuration, without training it."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixfront.cli.options import AsJson
from mixfront.exceptions import SpecError

if TYPE_CHECKING:
    from mixfront.models import ModelCost

CHUNK_DIM = "chunk_dim"  # a property of the assumed data, not a key of a family


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("cost")(cost)


def cost(
    family: Annotated[
        str, typer.Argument(metavar="FAMILY", help="A family listed by `mixfront families`.")
    ],
    option: Annotated[
        list[str] | None,
        typer.Option(
            "-o", metavar="KEY=VALUE", help="A hyperparameter, or chunk_dim; repeatable."
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows per training step.")] = 2048,
    as_json: AsJson = False,
) -> None:
    """Count a configuration's parameters, FLOPs and activations; nothing is trained or allocated.

    Without data, the tokenizer is assumed to get `num_tokens` chunks of width `chunk_dim`
    (`token_dim` by default), and embedding tables are left out. For a model that reads events,
    the last chunk is a behaviour sequence of `seq_len` events, or 50 if the family has no such
    key. One multiply-add is 2 FLOPs. Activations are the values that a training step keeps for
    its backward pass, in fp32.

    Example: `mixfront cost unimixer -o num_tokens=32 -o token_dim=128 -o block_size=4`
    """
    from mixfront.models import count_cost, make_config

    values = parse_options(option or [])
    chunk_dim = _chunk_dim(values.pop(CHUNK_DIM, None))
    config = make_config(family, values)
    counted = count_cost(
        family, config, batch_size=batch_size, chunk_dim=chunk_dim, activations=True
    )
    if as_json:
        typer.echo(json.dumps(counted.to_json(), indent=2))
    else:
        _print_table(counted)


def parse_options(options: Iterable[str]) -> dict[str, Any]:
    """`key=value` pairs as a mapping; values are YAML, and the last value of a key wins.

    Raises:
        SpecError: If an option has no `=`, or its value is not YAML.
    """
    from mixfront.config_file import parse_yaml

    values = {}
    for text in options:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise SpecError(f"option {text!r} is not of the form key=value; write -o key=value")
        values[key.strip()] = parse_yaml(value, f"option {text!r}", SpecError)
    return values


def _chunk_dim(value: object) -> int | None:
    if value is None or (type(value) is int and value > 0):
        return value
    raise SpecError(f"chunk_dim is {value!r}, but must be a whole number of at least 1")


def _print_table(counted: "ModelCost") -> None:
    from rich.console import Console
    from rich.table import Table

    size = counted.batch_size
    table = Table("part", box=None, pad_edge=False)
    table.add_column("parameters", justify="right")
    table.add_column("forward FLOPs per sample", justify="right")
    table.add_column(f"training FLOPs per batch of {size:,}", justify="right")
    parts = {"tokenizer": counted.tokenizer, "blocks": counted.blocks, "head": counted.head}
    for name, part in parts.items():
        table.add_row(name, *map(human, (part.params, part.per_sample, part.training_flops(size))))
    total = (counted.dense_params, counted.flops_per_sample, counted.training_flops(size))
    table.add_row("[bold]dense[/bold]", *map(human, total))
    console = Console()
    console.print(table)
    if counted.activations is not None:
        sample, batch = counted.activations.per_sample, counted.activations.of_batch(size)
        console.print(
            f"\nActivations kept for the backward pass: {human(sample)}B per sample, "
            f"{human(batch)}B per batch of {size:,}, in fp32."
        )
    console.print("\nEmbedding tables are not counted, because their size depends on the data.")


def human(number: int) -> str:
    """A count with three decimals and a unit prefix, such as `6.363 M`."""
    for unit, scale in (("P", 10**15), ("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= scale:
            return f"{number / scale:.3f} {unit}"
    return str(number)
