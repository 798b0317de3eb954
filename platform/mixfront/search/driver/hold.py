"""Holds the lease of a search around everything that its driver does."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rich.console import Console
from sqlalchemy import make_url

from mixfront.exceptions import MixfrontError
from mixfront.records import RecordStore, SearchRecord
from mixfront.records.own_records import own_search
from mixfront.search.driver.lease import DriverLease
from mixfront.search.driver.lease_table import LeaseTable
from mixfront.search.driver.network_drive import network_drive
from mixfront.search.study import storage_error
from mixfront.terminal.waiting import waiting


@contextmanager
def hold_lease(
    store: RecordStore, search: SearchRecord, console: Console
) -> Iterator[RecordStore]:
    """Take the lease of a search and hold it for the block; call it before anything is written.

    Args:
        store: The search's records.
        search: The search's record, with passwords.
        console: Where a wait for the last driver is shown.

    Yields:
        The records, to which nothing is written once the lease is lost. If `store` already has
        a lease, it is yielded as it is.

    Raises:
        DriverError: If another driver runs the search.
        SpecError: If the study's database cannot be used.
        StorageError: If the search names a file outside its folder.
    """
    if store.fence.epoch:
        yield store
        return
    with ExitStack() as stack:
        with waiting(console, "waiting until the last driver can no longer write"):
            # A study in the search's folder moves with it, and so does its lease.
            lease = stack.enter_context(_lease(own_search(store, search), console))
        yield store.fenced(lease.fence)


@contextmanager
def _lease(search: SearchRecord, console: Console) -> Iterator[DriverLease]:
    url = search.optuna_storage
    with ExitStack() as stack:
        try:
            _warn_of_network_drive(url, console)
            lease = DriverLease(LeaseTable(url), search.search_id, search.name)
            stack.enter_context(lease)
        except MixfrontError:
            raise
        except Exception as error:  # every database driver has its own
            raise storage_error(url, error) from error
        yield lease


def _warn_of_network_drive(url: str, console: Console) -> None:
    file = make_url(url).database if url.startswith("sqlite") else None
    if file and (kind := network_drive(file)):
        console.print(
            f"warning: {file} is on a network drive ({kind}), where two drivers on different "
            "machines may not see each other; set OPTUNA_STORAGE to a PostgreSQL database",
            highlight=False,
            soft_wrap=True,
        )
