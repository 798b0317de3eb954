"""Files that cannot be read are named in one sentence."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixfront.data.dataset import open_dataset
from mixfront.exceptions import DataError


def part(days: Path, date: int = 20260102) -> Path:
    return days / f"date={date}" / "part-0.parquet"


def test_columns_of_different_kinds_are_named(days: Path) -> None:
    (days / "date=20260103").mkdir()
    pq.write_table(pa.table({"item": ["ten"], "click": [1]}), part(days, 20260103))
    with pytest.raises(DataError) as caught:
        list(open_dataset(str(days)).scan(columns=["item"]))
    assert "item" in str(caught.value)


def test_a_column_name_that_is_not_text_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"click": [0], "user": [1]}), file, store_schema=False)
    file.write_bytes(file.read_bytes().replace(b"click", b"\x80lick"))
    with pytest.raises(DataError, match=r"a\.parquet is not valid UTF-8"):
        open_dataset(str(tmp_path)).schema  # noqa: B018  (read here)


def test_a_truncated_file_is_named(days: Path) -> None:
    whole = part(days).read_bytes()
    part(days).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError) as caught:
        list(open_dataset(str(days)).scan(columns=["item"]))
    assert str(part(days)) in str(caught.value)
    assert "truncated" in str(caught.value)
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
    assert other.num_rows == 5, "columns that are not requested are not read"


def test_counting_names_the_damaged_file_too(days: Path) -> None:
    part(days).write_bytes(part(days).read_bytes()[:200])
    with pytest.raises(DataError, match=r"date=20260102.* is not a complete Parquet file"):
        open_dataset(str(days)).count_rows()


def test_a_type_that_differs_in_a_file_that_is_not_inspected_is_named(
    days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixfront.data.arrow_dataset._INSPECTED", 2)
    for date in (20260103, 20260104):
        shutil.copytree(days / "date=20260101", days / f"date={date}")
    pq.write_table(pa.table({"item": ["ten"], "click": [1]}), part(days))
    for read in (lambda d: list(d.scan(columns=["item"])), lambda d: d.count_rows("item > 1")):
        with pytest.raises(DataError) as caught:
            read(open_dataset(str(days)))
        assert "the column 'item' is string in" in str(caught.value)
        assert "but int32 in other files" in str(caught.value)
