"""Reading Parquet: partitions, projection, order, and what is said of bad data."""

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


def test_partition_values_that_are_no_numbers_are_text(tmp_path: Path) -> None:
    for country in ("de", "__HIVE_DEFAULT_PARTITION__"):
        (tmp_path / f"country={country}").mkdir()
        pq.write_table(pa.table({"x": [1]}), tmp_path / f"country={country}" / "a.parquet")
    table = open_dataset(str(tmp_path)).head(5, columns=["country"])
    assert sorted(table["country"].to_pylist(), key=str) == [None, "de"]


def test_rows_come_filtered_projected_and_in_order(days: Path) -> None:
    tables = list(
        open_dataset(str(days)).scan("item > 10 and date <= 20260102", ["item", "date"], 2)
    )
    table = pa.concat_tables(tables)
    assert table.column_names == ["item", "date"]
    assert table["item"].to_pylist() == [20, 30, 40, 50, 60, 70]
    assert table["date"].to_pylist() == [20260101] * 2 + [20260102] * 4
    assert all(t.num_rows for t in tables)


def test_small_row_groups_are_put_together(days: Path) -> None:
    assert [t.num_rows for t in open_dataset(str(days)).scan(columns=["item"])] == [8]


def test_the_first_raw_rows(days: Path) -> None:
    assert open_dataset(str(days)).head(3, columns=["item"])["item"].to_pylist() == [0, 10, 20]
    assert open_dataset(str(days)).head(99, columns=["item"]).num_rows == 8


def test_one_file_is_a_data_set_too(days: Path) -> None:
    assert open_dataset(str(part(days))).head(9, columns=["item"])["item"].to_pylist() == [
        40,
        50,
        60,
        70,
    ]


def test_remote_file_systems(days: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(days), "/reader-test", recursive=True)
    try:
        table = open_dataset("memory://reader-test").head(9, "date == 20260102", ["item"])
        assert table["item"].to_pylist() == [40, 50, 60, 70]
        assert len(open_dataset("memory://reader-test").digest) == 64
    finally:
        memory.rm("/reader-test", recursive=True)


def test_other_files_are_left_alone(days: Path) -> None:
    (days / "schema.yaml").write_text("label: click")
    (days / "_SUCCESS").touch()
    (days / "_temporary").mkdir()
    shutil.copy(part(days), days / "_temporary" / "half.parquet")
    assert open_dataset(str(days)).count_rows() == 8


def test_columns_of_different_widths_and_new_columns(days: Path) -> None:
    (days / "date=20260103").mkdir()
    new = pa.table({"item": pa.array([2**40]), "click": [1], "city": ["x"]})
    pq.write_table(new, part(days, 20260103))
    table = open_dataset(str(days)).head(9, "date >= 20260102", ["item", "city"])
    assert table["item"].to_pylist() == [40, 50, 60, 70, 2**40]
    assert table["city"].to_pylist() == [None] * 4 + ["x"]


def test_columns_of_different_kinds_are_named(days: Path) -> None:
    (days / "date=20260103").mkdir()
    pq.write_table(pa.table({"item": ["ten"], "click": [1]}), part(days, 20260103))
    with pytest.raises(DataError) as caught:
        list(open_dataset(str(days)).scan(columns=["item"]))
    assert "item" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [("nowhere", "does not exist"), ("empty", "holds no Parquet file")],
)
def test_no_files(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        open_dataset(str(tmp_path / path))


def test_an_unknown_protocol() -> None:
    with pytest.raises(DataError, match="cannot open nosuch://bucket/logs"):
        open_dataset("nosuch://bucket/logs")


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


def test_a_truncated_file_is_named(days: Path) -> None:
    whole = part(days).read_bytes()
    part(days).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError) as caught:
        list(open_dataset(str(days)).scan(columns=["item"]))
    assert str(part(days)) in str(caught.value)
    assert "cut off" in str(caught.value)
    assert "row groups" in str(caught.value)


def test_a_truncated_file_that_is_not_inspected_is_named_too(
    days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixfront.data.arrow_dataset._INSPECTED", 2)
    for date in (20260103, 20260104):
        shutil.copytree(days / "date=20260101", days / f"date={date}")
    part(days).write_bytes(part(days).read_bytes()[:200])
    with pytest.raises(DataError, match="date=20260102"):
        list(open_dataset(str(days)).scan(columns=["item"]))


def test_a_damaged_row_group_is_named(days: Path) -> None:
    table = pa.table({"item": pa.array(range(2000)), "click": [0, 1] * 1000})
    file = part(days)
    pq.write_table(table, file, row_group_size=500, write_page_checksum=True, use_dictionary=False)
    start = pq.ParquetFile(file).metadata.row_group(2).column(0).data_page_offset
    content = bytearray(file.read_bytes())
    content[start + 100] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        list(open_dataset(str(days)).scan(columns=["item"]))
    assert f"row group 2 of {file} is damaged" in str(caught.value)
    assert "\n" not in str(caught.value)
    other = open_dataset(str(days)).head(5, "date == 20260102", ["click"])
    assert other.num_rows == 5, "columns that are not asked for are not read"


def test_the_digest_follows_the_files(days: Path) -> None:
    before = open_dataset(str(days)).digest
    assert open_dataset(str(days)).digest == before
    (days / "date=20260103").mkdir()
    shutil.copy2(part(days), part(days, 20260103))
    assert open_dataset(str(days)).digest != before
