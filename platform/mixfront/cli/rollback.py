"""`mixfront rollback`: move the alias back to the version that had it before."""

import dataclasses
import json
from typing import Annotated

import typer

from mixfront.cli.options import AsJson


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("rollback")(rollback)


def rollback(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name of the registered model.")],
    alias: Annotated[str, typer.Option(help="Alias to move back.")] = "champion",
    search: Annotated[
        str | None,
        typer.Option(help="A search whose MLflow server has the model; MLFLOW_TRACKING_URI wins."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Move a model's alias back to the version that had it before.

    Each call undoes one more promotion. The MLflow server is the one at MLFLOW_TRACKING_URI, or
    else that of --search, or else ./mixfront.db, the default of a search.

    Example: `mixfront rollback feed-ranker`
    """
    from mixfront.registry.rollback import rollback as move_back

    done = move_back(model, alias=alias, uri=_uri(search))
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(done), indent=1))
        return
    typer.echo(
        f"Version {done.version} of {model!r} has the alias {alias!r} again; "
        f"it was taken from version {done.taken_from}."
    )


def _uri(search: str | None) -> str:
    from pathlib import Path

    from mixfront.records.locate import locate_search
    from mixfront.registry.server import tracking_uri

    if search is not None:
        return tracking_uri(locate_search(search).search().tracking_uri)
    local = Path("mixfront.db").resolve()
    return tracking_uri(f"sqlite:///{local}" if local.exists() else None)
