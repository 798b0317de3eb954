"""`mixfront rollback`: the alias back to the version that had it before."""

import dataclasses
import json
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("rollback")(rollback)


def rollback(
    model: Annotated[str, typer.Argument(help="name of the registered model")],
    alias: Annotated[str, typer.Option(help="the alias to give back")] = "champion",
    search: Annotated[
        str | None,
        typer.Option(
            help="a search whose MLflow has the model, if MLFLOW_TRACKING_URI is not set"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Give a model's alias back to the version that had it before.

    Example: mixfront rollback feed-ranker

    Each call goes one promotion further back. The server is MLFLOW_TRACKING_URI, else the one
    of --search, else ./mixfront.db as in a search that names none.
    """
    from mixfront.registry.rollback import rollback as give_back

    done = give_back(model, alias=alias, uri=_uri(search))
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
