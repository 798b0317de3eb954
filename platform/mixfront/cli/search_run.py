"""`mixfront search run | resume | list`."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from mixfront.cli.pareto import front_table
from mixfront.cli.search_app import search_app
from mixfront.exceptions import SpecError

if TYPE_CHECKING:
    from mixfront.records import RecordStore, SearchRecord
    from mixfront.search.run import SearchResult

Override = Annotated[
    list[str] | None,
    typer.Option("-o", "--override", help="key=value, e.g. -o search.trials=40 -o data.path=URL"),
]
Storage = Annotated[
    str | None,
    typer.Option(help="where searches lie; MIXFRONT_STORAGE, else ./mixfront-searches"),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the sub-app `search`; `app` gets nothing itself."""
    del app
    search_app.command("run")(run)
    search_app.command("resume")(resume)
    search_app.command("list")(list_)


def run(
    spec: Annotated[str, typer.Argument(help="a spec file, or a packaged spec such as `demo`")],
    override: Override = None,
) -> None:
    """Run a search here, or on the Ray cluster that RAY_ADDRESS names, until it ends.

    Example: mixfront search run kuairand -o data.path=s3://logs/kuairand -o search.trials=40

    Ctrl-C stops it at once with a checkpoint; `mixfront search resume NAME` goes on.
    """
    from mixfront.search.prepare import prepare_search
    from mixfront.spec.search_spec import load_spec

    console = Console()
    resolved = load_spec(spec, override or [])
    store, record = prepare_search(
        resolved, lambda text: console.print(text, highlight=False, soft_wrap=True)
    )
    _drive(store, record, console)


def resume(
    search: Annotated[str, typer.Argument(help="name, folder URL, or spec file of a search")],
    storage: Storage = None,
) -> None:
    """Go on with a search that was interrupted or killed; finished trials are not run again.

    Example: mixfront search resume kuairand-front
    """
    from mixfront.records.credentials import with_credentials
    from mixfront.records.locate import locate_search

    store = locate_search(search, storage)
    record = with_credentials(store.search())
    if record.state == "finished":
        raise SpecError(
            f"search {record.name!r} has finished ({record.ended_because}); there is nothing to "
            "resume, so start another under a new name"
        )
    _drive(store, record, Console())


def list_(
    storage: Storage = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List the searches of a storage.

    Example: mixfront search list --storage s3://ranking/mixfront
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
        cells = (row["name"], row["state"], row["trials"], row["complete"], row["ended_because"])
        table.add_row(*(str(cell or "") for cell in cells))
    Console().print(table)


def _summary(store: "RecordStore") -> dict[str, object]:
    record, trials = store.search(), store.trials()
    complete = sum(trial.state == "complete" for trial in trials)
    return {
        "search_id": record.search_id,
        "name": record.name,
        "state": record.state,
        "trials": len(trials),
        "complete": complete,
        "ended_because": record.ended_because,
    }


def _drive(store: "RecordStore", record: "SearchRecord", console: Console) -> None:
    from mixfront.cluster.connection import connect
    from mixfront.search.run import run_search
    from mixfront.spec.search_spec import SearchSpec

    trial = SearchSpec.model_validate(record.spec).trial
    with connect(trial) as cluster:
        where = "on this machine" if cluster.local else f"on Ray at {cluster.address}"
        lanes = "1 lane" if cluster.num_lanes == 1 else f"{cluster.num_lanes} lanes"
        console.print(
            f"search {record.name}: {lanes} of {trial.workers} workers {where}; "
            f"MLflow experiment {record.experiment!r}",
            highlight=False,
            soft_wrap=True,
        )
        ended = run_search(store, record, cluster.num_lanes, console)
    _tell_end(ended, console)


def _tell_end(ended: "SearchResult", console: Console) -> None:
    search = ended.search
    console.print(f"{search.state}: {search.ended_because}", highlight=False, soft_wrap=True)
    if ended.front.members:
        console.print(front_table(ended.front))
    if not ended.delivered:
        console.print(
            "MLflow does not know everything yet; it will when the server is back and "
            f"`mixfront search resume {search.name}` or the next run of it delivers the rest"
        )
    if search.state == "interrupted":
        console.print(
            f"go on with: mixfront search resume {search.name}", highlight=False, soft_wrap=True
        )
    else:
        console.print(
            f"next: mixfront pareto {search.name} --html front.html, then "
            f"mixfront promote {search.name} --pick knee --name MODEL",
            highlight=False,
            soft_wrap=True,
        )
