"""Entries of the cache give way to new ones: the old, then those that were used least recently."""

import fcntl
import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from mixfront.data import cache_eviction
from mixfront.data.cache import open_split
from mixfront.data.cache_eviction import CacheLimits, make_room, use, used_bytes
from mixfront.data.config import DataConfig
from mixfront.data.dataset import ParquetDataset
from mixfront.data.encoding.encoder import Encoder
from mixfront.exceptions import UsageError

DAY = 86_400.0


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a limit of 1,000 bytes."""
    monkeypatch.setenv("MIXFRONT_CACHE_MAX_GB", "1e-6")
    return tmp_path


def entry(root: Path, digit: str, *, num_bytes: int = 298, days_ago: float = 0.0) -> Path:
    """An entry of this size, with its manifest of two bytes."""
    folder = root / (digit * 32)
    folder.mkdir()
    (folder / "ids.npy").write_bytes(bytes(num_bytes))
    (folder / "split.json").write_text("{}")
    last_use = time.time() - days_ago * DAY
    os.utime(folder / "split.json", (last_use, last_use))
    return folder


def test_the_least_recently_used_is_evicted_first(root: Path) -> None:
    first, second, third = (entry(root, d, days_ago=a) for d, a in (("a", 1), ("b", 3), ("c", 2)))
    make_room(root, 100)
    assert all(folder.exists() for folder in (first, second, third))
    make_room(root, 101)
    assert [folder.exists() for folder in (first, second, third)] == [True, False, True]
    assert used_bytes(root) == 600
    make_room(root, 900)
    assert used_bytes(root) == 0


def test_an_entry_larger_than_the_limit_evicts_all_others_and_is_written(root: Path) -> None:
    folder = entry(root, "a")
    make_room(root, 10**6)
    assert not folder.exists()


def test_what_was_not_used_for_long_is_evicted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = entry(root, "a", days_ago=31), entry(root, "b", days_ago=29)
    make_room(root, 0)
    assert (old.exists(), young.exists()) == (False, True)
    monkeypatch.setenv("MIXFRONT_CACHE_MAX_DAYS", "28")
    make_room(root, 0)
    assert not young.exists()


def test_a_disk_without_space_evicts_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, young = entry(root, "a", days_ago=2), entry(root, "b")
    free = iter((10, 400))
    monkeypatch.setattr(cache_eviction, "free_bytes", lambda _: next(free))
    make_room(root, 350)
    assert (old.exists(), young.exists()) == (False, True)


def test_using_an_entry_makes_it_the_most_recent(root: Path) -> None:
    used, unused = entry(root, "a", days_ago=9), entry(root, "b", days_ago=8)
    use(used)
    gc.collect()
    make_room(root, 500)
    assert (used.exists(), unused.exists()) == (True, False)


def test_an_entry_in_use_is_kept(root: Path) -> None:
    """Also by an object of this process, and until the last one."""
    folder = entry(root, "a")
    uses = [use(folder), use(folder)]
    make_room(root, 10**6)
    assert folder.exists()
    uses.pop()
    make_room(root, 10**6)
    assert folder.exists()
    uses.clear()
    make_room(root, 10**6)
    assert not folder.exists()
    assert use(folder) is None


_HOLD = """
import sys
from pathlib import Path
from mixfront.data.cache_eviction import use

held = use(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_an_entry_of_another_living_process_is_kept(root: Path) -> None:
    folder = entry(root, "a")
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        make_room(root, 10**6)
        assert folder.exists()
        process.kill()
    make_room(root, 10**6)
    assert not folder.exists()


def test_an_entry_that_is_evicted_while_it_is_opened_is_not_used(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process removed it after this one opened the manifest, before it had the lock."""
    folder = entry(root, "a")

    def evict_first(_descriptor: int, _operation: int) -> None:
        monkeypatch.undo()
        monkeypatch.setenv("MIXFRONT_CACHE_MAX_GB", "0")
        make_room(root, 0)

    monkeypatch.setattr(fcntl, "flock", evict_first)
    assert use(folder) is None


def test_what_killed_processes_left_is_removed(root: Path) -> None:
    key = "b" * 32
    names = (f"{key}.building-1", f"{'c' * 32}.building-2", f"{'d' * 32}.evicted")
    building, abandoned, evicted = (root / name for name in names)
    for folder in (building, abandoned, evicted):
        folder.mkdir()
    with FileLock(root / f"{key}.lock"):
        make_room(root, 0)
    assert [folder.exists() for folder in (building, abandoned, evicted)] == [True, False, False]


def test_other_files_are_left_alone(root: Path) -> None:
    (root / "notes").mkdir()
    (root / "notes" / "file").write_bytes(bytes(5000))
    make_room(root, 10**6)
    assert (root / "notes" / "file").exists()


def test_limits_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CacheLimits.from_environment() == CacheLimits(gigabytes=50, days=30)
    monkeypatch.setenv("MIXFRONT_CACHE_MAX_GB", "200")
    monkeypatch.setenv("MIXFRONT_CACHE_MAX_DAYS", "0.5")
    assert CacheLimits.from_environment() == CacheLimits(gigabytes=200, days=0.5)


@pytest.mark.parametrize("text", ["much", "-1", "nan"])
def test_an_invalid_limit_is_one_sentence(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXFRONT_CACHE_MAX_DAYS", text)
    with pytest.raises(UsageError, match=f"MIXFRONT_CACHE_MAX_DAYS is '{text}', not a number"):
        CacheLimits.from_environment()


def test_a_new_split_evicts_an_unused_one_and_keeps_one_in_use(
    config: DataConfig,
    dataset: ParquetDataset,
    encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIXFRONT_CACHE_MAX_GB", "0")
    validation = open_split(dataset, config.validation, encoder, tmp_path)
    open_split(dataset, config.test, encoder, tmp_path)
    gc.collect()
    train = open_split(dataset, config.train, encoder, tmp_path)
    entries = [path for path in (tmp_path / "encoded").iterdir() if path.is_dir()]
    assert len(entries) == 2
    assert train.num_rows > validation.num_rows > 0
