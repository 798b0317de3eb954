"""`mixfront search run | resume | list`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mixfront.cli.drive import drive, prepare_and_drive, print_end, refuse_finished
from mixfront.cli.options import AsJson, Override, SearchName, SpecSource, Storage
from mixfront.cli.pareto import front_table
from mixfront.cli.search_app import search_app

if TYPE_CHECKING:
    from mixfront.records import RecordStore
    from mixfront.search.run import SearchResult


def register(app: typer.Typer) -> None:
    """Add the commands to the sub-app `search`, not to `app` itself."""
    del app
    search_app.command("run")(run)
    search_app.command("resume")(resume)
    search_app.command("list")(list_)


def run(spec: SpecSource, override: Override = None) -> None:
    """Run a search on this machine, or on the Ray cluster at RAY_ADDRESS, until it ends.

    Ctrl-C stops it after every running trial has written a checkpoint; resume it with
    `mixfront search resume NAME`.

    Example: `mixfront search run kuairand -o data.path=s3://logs/kuairand -o search.trials=40`
    """
    from mixfront.spec.search_spec import load_spec

    console = Console(markup=False)
    _print_end(prepare_and_drive(load_spec(spec, override or []), console), console)


def resume(
    search: SearchName,
    storage: Storage = None,
    override: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--override",
            metavar="KEY=VALUE",
            help="Extend a budget: search.trials=+20, search.time=+1h, "
            "search.accelerator_hours=+2, or a new limit without the plus; repeatable.",
        ),
    ] = None,
    accept_changed_data: Annotated[
        bool,
        typer.Option(
            "--accept-changed-data",
            help="Resume although the data set has changed since the search started.",
        ),
    ] = False,
) -> None:
    """Resume a search that was interrupted or killed; finished trials are not run again.

    A search whose data set has changed is refused, as its trials would not be comparable.
    With a larger budget, a finished search continues too, from the same study. Without one, it
    only sends MLflow what the server could not receive before the search finished.

    Example: `mixfront search resume kuairand-front -o search.trials=+20`
    """
    from mixfront.records.credentials import with_credentials
    from mixfront.records.locate import locate_search
    from mixfront.search.extend import extended

    store = locate_search(search, storage)
    record = with_credentials(store.search())
    if override:
        extended(record, override)  # mistakes surface before anything is started
    else:
        refuse_finished(store)
    console = Console(markup=False)
    result = drive(store, record, console, override or [], accept_changed_data=accept_changed_data)
    _print_end(result, console)


def list_(storage: Storage = None, as_json: AsJson = False) -> None:
    """List the searches of a storage.

    Example: `mixfront search list --storage s3://ranking/mixfront`
    """
    from mixfront.records.store import RecordStore, list_searches
    from mixfront.spec.storage import default_storage

    root = storage or default_storage()
    rows = [_summary(RecordStore(root, name)) for name in list_searches(root)]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    table = Table("search", "state", "trials", "complete", "ended because", box=None)
    for row in rows:
        is_gone = row["driver"] is not None and not row["driver"]["is_alive"]
        state = "driver is gone" if is_gone else row["state"]
        cells = (row["name"], state, row["trials"], row["complete"], row["ended_because"])
        table.add_row(*(str(cell or "") for cell in cells))
    Console(markup=False).print(table)
    for row in rows:
        if row["driver"] is not None and not row["driver"]["is_alive"]:
            print(f"resume it with: mixfront search resume {row['name']}")


def _summary(store: "RecordStore") -> dict[str, Any]:
    from mixfront.search.driver.status import driver_of

    record, trials = store.search(), store.trials()
    driver = driver_of(store, record)
    complete = sum(trial.state == "complete" for trial in trials)
    return {
        "search_id": record.search_id,
        "name": record.name,
        "state": record.state,
        "trials": len(trials),
        "complete": complete,
        "ended_because": record.ended_because,
        "driver": asdict(driver) if driver is not None else None,
    }


def _print_end(result: "SearchResult", console: Console) -> None:
    name = result.search.name
    print_end(result, console)
    if result.front.members:
        console.print(front_table(result.front))
    if result.search.state == "interrupted":
        advice = f"resume it with: mixfront search resume {name}"
    else:
        advice = (
            f"next: mixfront pareto {name} --html front.html, then "
            f"mixfront promote {name} --pick knee --name MODEL"
        )
    console.print(advice, highlight=False, soft_wrap=True)
