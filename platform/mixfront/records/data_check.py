"""Notices that the data set of a search has changed since the search started."""

from collections.abc import Mapping
from typing import Any

from mixfront.data import open_dataset
from mixfront.exceptions import DataError
from mixfront.records.store import RecordStore, SearchRecord

_SHOWN = 3  # names of files per kind of change


def refuse_changed_data(store: RecordStore, search: SearchRecord) -> None:
    """Check, before earlier trials are joined by new ones, that all train on the same data.

    Raises:
        DataError: If the data set has changed, or cannot be opened; says what changed.
    """
    if (change := data_change(store, search)) is not None:
        raise DataError(change)


def data_change(store: RecordStore, search: SearchRecord) -> str | None:
    """What has changed in the data set, and what to do, in one sentence; None if nothing has.

    A search whose files were not recorded, by an earlier version, is not checked.
    """
    if (before := store.data_files()) is None:
        return None
    path = search.spec["data"]["path"]
    try:
        dataset = open_dataset(path)
    except DataError as error:
        return str(error)
    if dataset.digest == search.dataset_digest:
        return None
    what = _differences(before, dataset.footers)
    return (
        f"the data set {path} has changed since search {search.name!r} started ({what}), so new "
        "trials would not be comparable with earlier ones; restore the files, or "
        "start a new search, or resume this one with --accept-changed-data"
    )


def with_current_data(store: RecordStore, search: SearchRecord) -> SearchRecord:
    """The record with the digest of the data set as it is now, which is saved.

    Raises:
        DataError: If the data set cannot be opened.
    """
    dataset = open_dataset(search.spec["data"]["path"])
    search = search.model_copy(update={"dataset_digest": dataset.digest})
    store.save_data_files(dataset.footers)
    store.save_search(search)
    return search


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    rewritten = [name for name in before if name in now and before[name] != now[name]]
    changes = {
        "added": [name for name in now if name not in before],
        "removed": [name for name in before if name not in now],
        "rewritten": rewritten,
    }
    return ", ".join(
        f"{len(names)} {how}: {_first(names)}" for how, names in changes.items() if names
    )


def _first(names: list[str]) -> str:
    shown = " ".join(name.removeprefix("/") for name in names[:_SHOWN])
    return f"{shown} ..." if len(names) > _SHOWN else shown
