"""`mixfront reproduce`: train a trial again from its record."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from mixfront.cli.drive import prepare_and_drive, print_end
from mixfront.cli.options import AsJson, SearchName, Storage
from mixfront.cli.train import free_name
from mixfront.exceptions import TrialError

if TYPE_CHECKING:
    from rich.table import Table

    from mixfront.search.reproduce import Comparison


def register(app: typer.Typer) -> None:
    """Add the command to the app."""
    app.command("reproduce")(reproduce)


def reproduce(
    search: SearchName,
    trial: Annotated[
        str, typer.Argument(metavar="TRIAL", help="Id of a trial, as listed by `mixfront trials`.")
    ],
    storage: Storage = None,
    as_json: AsJson = False,
) -> None:
    """Train a trial again from its record, and report what differs.

    The configuration, seed, filters, encoder and resources come from the record. With the same
    data, the same versions and one CPU worker, the weights are identical bit for bit. The result
    is a search with one trial, whose model can be promoted.

    Example: `mixfront reproduce kuairand-front 17`
    """
    from mixfront.records.credentials import with_credentials
    from mixfront.records.locate import locate_search
    from mixfront.records.own_records import own_search, own_trial
    from mixfront.search.reproduce import compare
    from mixfront.search.single import single_spec
    from mixfront.spec.search_spec import SearchSpec

    store = locate_search(search, storage)
    record = own_search(store, with_credentials(store.search()))
    old = own_trial(store, record, store.trial(trial))
    spec = SearchSpec.model_validate(record.spec)
    spec = spec.model_copy(
        update={
            "optuna_storage": record.optuna_storage,
            "tracking": spec.tracking.model_copy(update={"uri": record.tracking_uri}),
        }
    )
    console = Console(stderr=as_json, markup=False)
    with single_spec(spec, old.config, free_name(spec, f"trial-{trial}")) as single:
        result = prepare_and_drive(single, console, encoder=record.encoder)
    print_end(result, console)
    new = result.trials[0] if result.trials else None
    if new is None or new.state != "complete":
        raise TrialError(f"the trial is {new.state}: {new.error}" if new else "no trial ran")
    comparison = compare(record, old, result.search, new)
    if as_json:
        answer = {"search": single.name, "trial_id": new.trial_id, **asdict(comparison)}
        typer.echo(json.dumps(answer | {"differences": comparison.differences()}, indent=1))
        return
    console.print(_table(comparison))
    _print_verdict(comparison, console)


def _table(comparison: "Comparison") -> "Table":
    from rich.table import Table

    from mixfront.spec.metrics import describe_metric
    from mixfront.training.request import TEST_PREFIX

    table = Table("metric", box=None, pad_edge=False)
    table.add_column("then", justify="right")
    table.add_column("now", justify="right")
    for name, values in comparison.metrics.items():
        if not name.startswith(("mixing/", "experts/")):
            suffix = ", test" if name.startswith(TEST_PREFIX) else ""
            cells = ("-" if value is None else f"{value:.7g}" for value in values)
            table.add_row(describe_metric(name).title + suffix, *cells)
    return table


def _print_verdict(comparison: "Comparison", console: Console) -> None:
    differences = comparison.differences()
    if differences:
        for sentence in differences:
            console.print(f"differs: {sentence}", highlight=False, soft_wrap=True)
    else:
        console.print("data, versions, weights and metrics are identical")
