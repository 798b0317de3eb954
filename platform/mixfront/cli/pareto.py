"""`mixfront pareto`: the front of a search."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixfront.cli.options import AsJson, SearchName, Storage

if TYPE_CHECKING:
    from rich.table import Table

    from mixfront.pareto import Front


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("pareto")(pareto)


def pareto(
    search: SearchName,
    storage: Storage = None,
    as_json: AsJson = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write an interactive HTML page to this file."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a picture to this file (.svg, .png or .pdf)."),
    ] = None,
) -> None:
    """Show the Pareto front of a search: the trials that no other trial dominates.

    Example: `mixfront pareto demo --html front.html`
    """
    from mixfront.pareto import front_json, front_of
    from mixfront.records import locate_search

    store = locate_search(search, storage)
    record, trials = store.search(), store.trials()
    front = front_of(trials, record.objectives, record.reference_point)
    if html is not None:
        from mixfront.pareto import front_page

        write_page(html, front_page(record, trials))
    if picture is not None:
        from mixfront.pareto import save_picture

        save_picture(record, trials, picture)
    if as_json:
        typer.echo(json.dumps(front_json(record, trials, front), indent=2))
    else:
        _print(record.name, front, [path for path in (html, picture) if path is not None])


def write_page(path: Path, page: str) -> None:
    """Write the page to a file.

    Raises:
        UsageError: If the file cannot be written.
    """
    from mixfront.exceptions import UsageError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as problem:
        raise UsageError(
            f"cannot write {str(path)!r}: {problem.strerror}; name another file"
        ) from None


def _print(name: str, front: "Front", written: list[Path]) -> None:
    from rich.console import Console

    console = Console(markup=False)
    if front.members:
        console.print(front_table(front))
        of = f"of {len(front.candidates)} complete trials"
        print(f"\n{len(front.members)} {of} are on the front; hypervolume {front.hypervolume:.5g}")
    else:
        print(f"search {name} has no complete, feasible trial yet; see `mixfront trials {name}`")
    for path in written:
        print(f"wrote {path}")


def front_table(front: "Front") -> "Table":
    """The front for the terminal: one row per trial, with its objectives and model."""
    from rich.table import Table

    from mixfront.pareto.formatting import format_value, key_params, label

    table = Table("trial", "family", box=None, pad_edge=False)
    for objective in front.objectives:
        table.add_column(label(objective), justify="right")
    table.add_column("model")
    for member in front.members:
        values = [format_value(o.metric, member.values[o.metric]) for o in front.objectives]
        table.add_row(member.trial_id, member.family, *values, key_params(member.config))
    return table
