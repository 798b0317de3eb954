"""Which files make up a data set."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mixfront.data.storage import find_files


def test_files_are_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b.parquet", "a.pq", ".c.parquet", "_d.parquet", "e.csv", "x/_y/z.parquet"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"x": [1]}), file)
    found = find_files(str(tmp_path))
    assert [Path(name).name for name in found.names] == ["a.pq", "b.parquet"]


def test_the_digest_does_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "one" / "a.parquet")
    before = find_files(str(tmp_path / "one")).digest()
    (tmp_path / "one").rename(tmp_path / "two")
    assert find_files(str(tmp_path / "two")).digest() == before
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "two" / "a.parquet")
    assert find_files(str(tmp_path / "two")).digest() != before


def test_a_hidden_folder_above_the_data_does_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / ".cache" / "logs"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"x": [1]}), folder / "a.parquet")
    assert len(find_files(str(folder)).names) == 1
