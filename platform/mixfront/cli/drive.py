"""Drives a search, for `search run`, `search resume`, `train` and `reproduce`."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from mixfront.exceptions import LaneError, SpecError

if TYPE_CHECKING:
    from mixfront.lanes.config import LaneLimits
    from mixfront.records import RecordStore, SearchRecord
    from mixfront.search.run import SearchResult
    from mixfront.spec.search_spec import SearchSpec


def prepare_and_drive(
    spec: "SearchSpec", console: Console, encoder: str | None = None
) -> "SearchResult":
    """Prepare a new search, and run it until it ends.

    Args:
        spec: The search.
        console: Console for the progress.
        encoder: URL of a fitted encoder to use instead of fitting one.
    """
    from mixfront.cluster.connection import check_cluster
    from mixfront.search.cpu_op_build import compiling_cpu_op
    from mixfront.search.prepare import prepare_search
    from mixfront.terminal.waiting import waiting

    with waiting(console, "checking the cluster"):
        check_cluster(spec.trial)
    with compiling_cpu_op(spec, console):
        store, record = prepare_search(spec, console, encoder)
    return drive(store, record, console)


def drive(
    store: "RecordStore",
    record: "SearchRecord",
    console: Console,
    extensions: Sequence[str] = (),
    *,
    accept_changed_data: bool = False,
) -> "SearchResult":
    """Run a prepared or interrupted search on this machine, or the cluster at RAY_ADDRESS.

    If a finished search has updates that MLflow lacks, they are sent, and nothing else is done.

    Args:
        store: The search's records.
        record: The search's record, with passwords.
        console: Console for the progress.
        extensions: Overrides of the budget, which are recorded; a finished search needs one.
        accept_changed_data: Record the data set as it is, also if it has changed.

    Raises:
        DriverError: If another driver runs the search.
        SpecError: If another driver has just finished it.
    """
    from mixfront.cluster.connection import connect
    from mixfront.records.credentials import with_credentials
    from mixfront.records.data_check import with_current_data
    from mixfront.search.driver.deliver import deliver_rest
    from mixfront.search.driver.hold import hold_lease
    from mixfront.search.extend import extended
    from mixfront.search.precision import resolve_precision
    from mixfront.search.run import run_search
    from mixfront.spec.search_spec import SearchSpec
    from mixfront.terminal.waiting import waiting

    trial = SearchSpec.model_validate(record.spec).trial
    with ExitStack() as stack:
        store = stack.enter_context(hold_lease(store, record, console))
        if extensions:
            record = extended(with_credentials(store.search()), extensions)
            store.save_search(record)
        else:
            refuse_finished(store)
            if (latest := store.search()).state == "finished":
                with waiting(console, "sending MLflow what it lacks"):
                    return deliver_rest(store, with_credentials(latest), console)
        if accept_changed_data:
            record = with_current_data(store, record)
        with waiting(console, "connecting to Ray"), _interrupted_if_refused(store):
            cluster = stack.enter_context(connect(trial))
        with waiting(console, "checking the lanes' devices"):
            resolve_precision(store, record, console)
        where = "on this machine" if cluster.local else f"on Ray at {cluster.address}"
        console.print(
            f"search {record.name}: {_lanes_text(trial.lanes, cluster.num_lanes)} of "
            f"{trial.workers} workers {where}; "
            f"MLflow experiment {record.experiment!r}",
            highlight=False,
            soft_wrap=True,
        )
        return run_search(store, record, console)


def _lanes_text(limits: "LaneLimits", num_fitting: int) -> str:
    """How many lanes the search will have, such as "2 lanes"."""
    lanes = min(num_fitting, limits.max or num_fitting)
    if lanes == 0:
        return "lanes, once nodes have joined,"
    return "1 lane" if lanes == 1 else f"{lanes} lanes"


@contextmanager
def _interrupted_if_refused(store: "RecordStore") -> Iterator[None]:
    """Record why a search could not start; otherwise its record would say "running" forever."""
    try:
        yield
    except LaneError as error:
        record = store.search()
        record.state, record.ended_because = "interrupted", str(error)
        store.save_search(record)
        raise


def refuse_finished(store: "RecordStore") -> None:
    """Check that a search has something left to do.

    Raises:
        SpecError: If it has finished, and MLflow has everything.
    """
    from mixfront.tracking.backlog import is_delivered

    record = store.search()
    if record.state == "finished" and is_delivered(store):
        raise SpecError(
            f"search {record.name!r} has finished ({record.ended_because}), so there is nothing "
            "to resume; extend its budget, as with `-o search.trials=+20`, or start a search with "
            "another name"
        )


def print_end(result: "SearchResult", console: Console) -> None:
    """Print how the search ended, and whether MLflow received everything."""
    search = result.search
    console.print(f"{search.state}: {search.ended_because}", highlight=False, soft_wrap=True)
    if not result.delivered:
        console.print(
            "MLflow has not received everything; `mixfront search resume "
            f"{search.name}` sends the rest once the server is back",
            highlight=False,
            soft_wrap=True,
        )
