"""`mixfront promote`: register the model of a trial on the front."""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from mixfront.cli.options import AsJson, SearchName, Storage
from mixfront.exceptions import UsageError

if TYPE_CHECKING:
    from mixfront.records import RecordStore
    from mixfront.registry.promotion import Promotion


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("promote")(promote)


def promote(
    search: SearchName,
    name: Annotated[str, typer.Option(help="Name of the registered model.")],
    trial: Annotated[str | None, typer.Option(help="Id of a trial on the front.")] = None,
    pick: Annotated[
        str | None,
        typer.Option(help="Pick a trial on the front: knee, best:METRIC or max:METRIC<=VALUE."),
    ] = None,
    alias: Annotated[
        str, typer.Option(help="Alias that marks the version in production.")
    ] = "champion",
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Register the model of a Pareto-optimal trial and give it the alias, if every check passes.

    The alias moves last, after the registered model has been loaded back and has given the same
    scores as the trained one.

    Example: `mixfront promote kuairand-front --pick 'max:flops<=1e11' --name feed-ranker`
    """
    from mixfront.records.locate import locate_search
    from mixfront.registry.promotion import promote as promote_trial
    from mixfront.registry.server import tracking_uri

    store = locate_search(search, storage)
    promotion = promote_trial(
        store,
        _chosen(store, trial, pick),
        model=name,
        alias=alias,
        uri=tracking_uri(store.search().tracking_uri),
        say=(lambda _line: None) if as_json else typer.echo,
    )
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(promotion), indent=1))
    else:
        typer.echo(_next(promotion))


def _chosen(store: "RecordStore", trial: str | None, pick: str | None) -> str:
    """The trial's id.

    Raises:
        UsageError: If not exactly one of the two is given, or the pick matches no trial.
    """
    if (trial is None) == (pick is None):
        raise UsageError("choose one trial: give either --trial ID or --pick knee|best:..|max:..")
    if pick is None:
        return str(trial)
    from mixfront.pareto import front_of, pick_trial

    search = store.search()
    front = front_of(store.trials(), search.objectives, search.reference_point)
    return pick_trial(pick, front).trial_id


def _next(promotion: "Promotion") -> str:
    uri = f"models:/{promotion.model}@{promotion.alias}"
    back = f"; undo it with: mixfront rollback {promotion.model}" if promotion.previous else ""
    return f"Serve it with: mlflow models serve -m {uri} --env-manager local{back}"
