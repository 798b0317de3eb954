"""Many files as one data set: partitions, and columns that differ between files."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mixfront.data.dataset import open_dataset


def part(days: Path, date: int = 20260102) -> Path:
    return days / f"date={date}" / "part-0.parquet"


def test_partition_columns_are_numbers(days: Path) -> None:
    schema = open_dataset(str(days)).schema
    assert schema.field("date").type == pa.int64()
    assert schema.names == ["user", "item", "price", "seen", "click", "date"]


def test_partition_values_over_32_bits_stay_numbers(tmp_path: Path) -> None:
    for hour in (2026010123, 2026010200):
        (tmp_path / f"hour={hour}").mkdir()
        pq.write_table(pa.table({"x": [1]}), tmp_path / f"hour={hour}" / "a.parquet")
    table = open_dataset(str(tmp_path)).head(5, "hour >= 2026010200", ["x", "hour"])
    assert table["hour"].to_pylist() == [2026010200]


def test_partition_values_that_are_not_numbers_are_text(tmp_path: Path) -> None:
    for country in ("de", "__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / f"country={country}").mkdir()
        pq.write_table(pa.table({"x": [1]}), tmp_path / f"country={country}" / "a.parquet")
    table = open_dataset(str(tmp_path)).head(5, columns=["country"])
    assert sorted(table["country"].to_pylist(), key=str) == [None, "de"]


def test_columns_of_different_widths_and_new_columns(days: Path) -> None:
    (days / "date=20260103").mkdir()
    new = pa.table({"item": pa.array([2**40]), "click": [1], "city": ["x"]})
    pq.write_table(new, part(days, 20260103))
    table = open_dataset(str(days)).head(9, "date >= 20260102", ["item", "city"])
    assert table["item"].to_pylist() == [40, 50, 60, 70, 2**40]
    assert table["city"].to_pylist() == [None] * 4 + ["x"]


def test_views_are_read_as_strings(tmp_path: Path) -> None:
    """Arrow cannot filter tables with a string_view column."""
    views = pa.table(
        {
            "text": pa.array(["a", "b", None], pa.string_view()),
            "bytes": pa.array([b"a", b"b", None], pa.binary_view()),
            "texts": pa.array([["a"], ["b"], None], pa.list_(pa.string_view())),
        }
    )
    pq.write_table(views, tmp_path / "a.parquet")
    table = open_dataset(str(tmp_path)).head(9, "text != 'a'")
    assert table.to_pylist() == [{"text": "b", "bytes": b"b", "texts": ["b"]}]
    assert table.schema.types == [pa.string(), pa.binary(), pa.list_(pa.string())]
