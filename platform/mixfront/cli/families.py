"""`mixfront families`: every architecture family and its hyperparameters."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixfront.cli.options import AsJson

if TYPE_CHECKING:
    from rich.table import Table


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("families")(families)


def families(
    name: Annotated[
        str | None, typer.Argument(metavar="FAMILY", help="Show only this family.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List every architecture family, its hyperparameters, defaults and valid ranges.

    "default from" is "paper" if the family's paper gives the default, "authors' code" if only the
    public code of UniMixer's authors does (it includes baselines), and "ours" if neither does.

    Example: `mixfront families unimixer`
    """
    from mixfront.models import FAMILIES, get_family

    chosen = [get_family(name)] if name else list(FAMILIES.values())
    if as_json:
        typer.echo(json.dumps([_as_json(family.name) for family in chosen], indent=2))
        return
    from rich.console import Console

    console = Console()
    for family in chosen:
        console.print(f"\n[bold]{family.name}[/bold]  {family.summary}", highlight=False)
        console.print(_table(family.name))


def _as_json(family: str) -> dict[str, Any]:
    from mixfront.models import hyperparameters

    keys = {key: item.to_json() for key, item in hyperparameters(family).items()}
    return {"name": family, "hyperparameters": keys}


def _table(family: str) -> "Table":
    from rich.table import Table

    from mixfront.models import hyperparameters

    columns = ("hyperparameter", "default", "default from", "range", "meaning")
    table = Table(*columns, box=None, pad_edge=False)
    for key, item in hyperparameters(family).items():
        default = json.dumps(item.default).strip('"')
        table.add_row(key, default, item.default_from, item.range_text(), item.help)
    return table
