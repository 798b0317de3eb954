"""Rows of a data set: filtered, projected, in order, counted."""

import re
import shutil
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixfront.data.dataset import open_dataset
from mixfront.exceptions import DataError, SchemaError, SpecError


def part(days: Path, date: int = 20260102) -> Path:
    return days / f"date={date}" / "part-0.parquet"


def test_rows_come_filtered_projected_and_in_order(days: Path) -> None:
    dataset = open_dataset(str(days))
    tables = list(dataset.scan("item > 10 and date <= 20260102", ["item", "date"], 2))
    table = pa.concat_tables(tables)
    assert table.column_names == ["item", "date"]
    assert table["item"].to_pylist() == [20, 30, 40, 50, 60, 70]
    assert table["date"].to_pylist() == [20260101] * 2 + [20260102] * 4
    assert all(t.num_rows for t in tables)


def test_small_row_groups_are_merged(days: Path) -> None:
    assert [t.num_rows for t in open_dataset(str(days)).scan(columns=["item"])] == [8]


def test_the_first_raw_rows(days: Path) -> None:
    assert open_dataset(str(days)).head(3, columns=["item"])["item"].to_pylist() == [0, 10, 20]
    assert open_dataset(str(days)).head(99, columns=["item"]).num_rows == 8


def test_one_file_is_a_data_set_too(days: Path) -> None:
    items = open_dataset(str(part(days))).head(9, columns=["item"])["item"]
    assert items.to_pylist() == [40, 50, 60, 70]


def test_remote_file_systems(days: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(days), "/reader-test", recursive=True)
    try:
        table = open_dataset("memory://reader-test").head(9, "date == 20260102", ["item"])
        assert table["item"].to_pylist() == [40, 50, 60, 70]
        assert re.fullmatch("footers:[0-9a-f]{64}", open_dataset("memory://reader-test").digest)
    finally:
        memory.rm("/reader-test", recursive=True)


def test_a_missing_column_names_the_nearest(days: Path) -> None:
    with pytest.raises(SchemaError, match="no column 'itme': did you mean 'item'"):
        list(open_dataset(str(days)).scan(columns=["itme"]))
    with pytest.raises(SchemaError, match="did you mean 'date'"):
        list(open_dataset(str(days)).scan("dte == 1", ["item"]))


def test_a_filter_of_the_wrong_type(days: Path) -> None:
    with pytest.raises(SpecError, match="'date'"):
        list(open_dataset(str(days)).scan("date == '20260101'", ["item"]))


def test_a_filter_that_selects_nothing(days: Path) -> None:
    with pytest.raises(DataError, match=r"'date > 20270101' selects no rows"):
        list(open_dataset(str(days)).scan("date > 20270101", ["item"]))


def test_the_digest_changes_with_the_files(days: Path) -> None:
    before = open_dataset(str(days)).digest
    assert open_dataset(str(days)).digest == before
    (days / "date=20260103").mkdir()
    shutil.copy2(part(days), part(days, 20260103))
    assert open_dataset(str(days)).digest != before


def test_all_columns_are_read_unless_some_are_named(days: Path) -> None:
    (table,) = open_dataset(str(days)).scan("item == 20")
    assert table.to_pylist() == [
        {"user": "u2", "item": 20, "price": None, "seen": None, "click": 0, "date": 20260101}
    ]


def test_rows_are_counted_as_they_are_scanned(days: Path) -> None:
    dataset = open_dataset(str(days))
    assert dataset.count_rows() == 8
    assert dataset.count_rows("price == null or date == 20260102") == 5
    with pytest.raises(DataError, match=r"'item < 0' selects no rows of .*; change it"):
        dataset.count_rows("item < 0")


def test_an_empty_data_set(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": pa.array([], pa.int64())}), tmp_path / "a.parquet")
    dataset = open_dataset(str(tmp_path))
    with pytest.raises(DataError, match=r"has no rows; check the path"):
        dataset.count_rows()
    with pytest.raises(DataError, match="has no rows"):
        dataset.head(1)


def test_an_open_data_set_does_not_see_new_files(days: Path) -> None:
    dataset = open_dataset(str(days))
    (days / "date=20260103").mkdir()
    shutil.copy2(part(days), part(days, 20260103))
    assert dataset.count_rows() == 8
    assert open_dataset(str(days)).count_rows() == 12


def test_its_partition_columns(days: Path) -> None:
    assert open_dataset(str(days)).partition_columns == ["date"]
    assert open_dataset(str(part(days))).schema.names[-1] == "date"
