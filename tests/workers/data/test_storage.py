"""Which files make up a data set."""

from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from mixfront.data.storage import find_files
from mixfront.exceptions import DataError


class _CachedListings(LocalFileSystem):  # type: ignore[misc]
    """Caches listings for the life of the process, as drivers of object stores may."""

    protocol = "cached"

    def find(self, path: str, *arguments: Any, **options: Any) -> Any:
        path = str(self._strip_protocol(path))
        if path not in self.dircache:
            self.dircache[path] = super().find(path, *arguments, **options)
        return self.dircache[path]

    def invalidate_cache(self, path: str | None = None) -> None:
        self.dircache.clear() if path is None else self.dircache.pop(path, None)


def test_files_are_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b.parquet", "a.pq", ".c.parquet", "_d.parquet", "e.csv", "x/_y/z.parquet"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"x": [1]}), file)
    files = find_files(str(tmp_path))
    assert [Path(name).name for name in files.names] == ["a.pq", "b.parquet"]


def test_the_digest_does_not_depend_on_the_folders_path(tmp_path: Path) -> None:
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


def test_new_files_are_listed_even_if_the_driver_caches_listings(
    tmp_path: Path,
) -> None:
    fsspec.register_implementation("cached", _CachedListings, clobber=True)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    assert len(find_files(f"cached://{tmp_path}").names) == 1
    pq.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    assert len(find_files(f"cached://{tmp_path}").names) == 2


@pytest.mark.parametrize(
    ("path", "message"),
    [("nowhere", "does not exist"), ("empty", "holds no Parquet file")],
)
def test_no_files(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        find_files(str(tmp_path / path))


def test_an_unknown_protocol() -> None:
    with pytest.raises(DataError, match="cannot open nosuch://bucket/logs"):
        find_files("nosuch://bucket/logs")
