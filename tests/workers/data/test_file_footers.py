"""A data set is identified by its files' footers."""

import shutil
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixfront.data import file_footers, open_dataset
from mixfront.data.file_footers import differs


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set of two files."""
    folder = tmp_path / "data"
    folder.mkdir()
    for day in (1, 2):
        pq.write_table(pa.table({"x": [day, 10]}), folder / f"{day}.parquet")
    return folder


def test_a_copy_elsewhere_is_the_same_data(data: Path, tmp_path: Path) -> None:
    """Also in an object store, and with other modification times."""
    shutil.copytree(data, tmp_path / "copy", copy_function=shutil.copyfile)
    fsspec.filesystem("memory").put(f"{data}/", "/footers/", recursive=True)
    original = open_dataset(str(data))
    copy, remote = open_dataset(str(tmp_path / "copy")), open_dataset("memory://footers")
    assert original.digest == copy.digest == remote.digest
    assert original.listing_digest != copy.listing_digest
    assert list(original.footers) == ["/1.parquet", "/2.parquet"]


def test_a_rewritten_file_of_the_same_size_is_a_change(data: Path) -> None:
    before = open_dataset(str(data))
    size = (data / "1.parquet").stat().st_size
    assert before.footers
    pq.write_table(pa.table({"x": [3, 10]}), data / "1.parquet")
    assert (data / "1.parquet").stat().st_size == size
    assert open_dataset(str(data)).digest != before.digest


def test_an_unchanged_file_is_read_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    read = file_footers._read

    def counted(filesystem: object, name: str) -> str:
        reads.append(name)
        return read(filesystem, name)

    monkeypatch.setattr(file_footers, "_read", counted)
    for _ in range(3):
        assert open_dataset(str(data)).footers
    assert len(reads) == 2


def test_a_damaged_file_still_has_a_footer(data: Path) -> None:
    """Reading its rows says what is wrong with it."""
    (data / "1.parquet").write_bytes(b"\xff\xff")
    (data / "2.parquet").write_bytes(b"\xff" * 100)
    assert len(set(open_dataset(str(data)).footers.values())) == 2


def test_digests_of_earlier_versions_are_not_compared() -> None:
    assert differs("footers:1", "footers:2")
    assert not differs("footers:1", "footers:1")
    assert not differs("0" * 64, "footers:1")
    assert not differs(None, "footers:1")
