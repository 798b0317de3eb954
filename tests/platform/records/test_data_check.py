"""Changes of a data set in the middle of a search."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixfront.data import open_dataset
from mixfront.exceptions import DataError
from mixfront.records import RecordStore, SearchRecord
from mixfront.records.data_check import data_change, refuse_changed_data, with_current_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of three files."""
    folder = tmp_path / "data"
    folder.mkdir()
    for day in "123":
        pq.write_table(pa.table({"x": [int(day)]}), folder / f"{day}.parquet")
    return folder


@pytest.fixture
def started(search: SearchRecord, store: RecordStore, data: Path) -> SearchRecord:
    """The record of a search that started on this data."""
    dataset = open_dataset(str(data))
    search.spec["data"]["path"], search.dataset_digest = str(data), dataset.digest
    store.save_data_files(dataset.footers)
    store.save_search(search)
    return search


def change(data: Path) -> None:
    """Add a file, remove one and rewrite one."""
    pq.write_table(pa.table({"x": [4]}), data / "4.parquet")
    (data / "1.parquet").unlink()
    pq.write_table(pa.table({"x": [5]}), data / "2.parquet")


def test_unchanged_data_is_accepted(store: RecordStore, started: SearchRecord, data: Path) -> None:
    (data / "_SUCCESS").touch()  # not a file of the data set
    os.utime(data / "2.parquet", (0, 0))  # as in a node's own copy
    refuse_changed_data(store, started)


def test_a_change_is_described(store: RecordStore, started: SearchRecord, data: Path) -> None:
    change(data)
    with pytest.raises(DataError) as refused:
        refuse_changed_data(store, started)
    message = str(refused.value)
    assert f"the data set {data} has changed since search 'demo' started" in message
    assert "(1 added: 4.parquet, 1 removed: 1.parquet, 1 rewritten: 2.parquet)" in message
    assert "--accept-changed-data" in message


def test_a_search_of_an_earlier_version(
    store: RecordStore, started: SearchRecord, data: Path
) -> None:
    Path(store.url, "data_files.json").unlink()
    change(data)
    assert data_change(store, started) is None


def test_a_data_set_that_is_gone(store: RecordStore, started: SearchRecord, data: Path) -> None:
    started.spec["data"]["path"] = f"{data}-gone"
    with pytest.raises(DataError, match="does not exist"):
        refuse_changed_data(store, started)


def test_a_change_can_be_accepted(store: RecordStore, started: SearchRecord, data: Path) -> None:
    change(data)
    search = with_current_data(store, started)
    refuse_changed_data(store, search)
    assert store.search().dataset_digest == open_dataset(str(data)).digest
    (data / "3.parquet").unlink()
    assert "(1 removed: 3.parquet)" in str(data_change(store, search))
