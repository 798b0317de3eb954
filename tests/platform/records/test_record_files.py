"""Bulk reads of records, and the driver's copy in memory."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.records.fence import Fence
from mixfront.records.record_files import PARALLEL_READS


class CountingFileSystem(MemoryFileSystem):  # type: ignore[misc]  # untyped in fsspec
    """An object store that counts requests."""

    protocol = "counting"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    requests: ClassVar[Counter[str]] = Counter()
    lock = threading.Lock()
    meeting: ClassVar[threading.Barrier | None] = None  # where reads wait for each other

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        """Count a listing."""
        self._count("ls")
        return super().ls(path, detail, **options)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Count a request for a folder."""
        self._count("makedirs")
        super().makedirs(path, exist_ok)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        """Count a put."""
        self._count("put")
        super().pipe_file(path, value, mode=mode, **options)

    def cat_file(self, path: str, *arguments: Any, **options: Any) -> bytes:
        """Count a get, which waits at `meeting`."""
        self._count("get")
        if self.meeting is not None:
            self.meeting.wait(10)
        return bytes(super().cat_file(path, *arguments, **options))

    @classmethod
    def _count(cls, name: str) -> None:
        with cls.lock:
            cls.requests[name] += 1


@pytest.fixture
def requests() -> Counter[str]:
    """Requests by kind."""
    fsspec.register_implementation("counting", CountingFileSystem, clobber=True)
    CountingFileSystem.store.clear()
    CountingFileSystem.requests.clear()
    CountingFileSystem.meeting = None
    return CountingFileSystem.requests


@pytest.fixture
def counted(requests: Counter[str], trial: TrialRecord) -> RecordStore:
    """The records of 100 trials."""
    store = RecordStore("counting://records", "demo")
    for number in range(100):
        store.save_trial(trial.model_copy(update={"trial_id": str(number)}))
    requests.clear()
    return store


def test_reading_all_trials_lists_once(counted: RecordStore, requests: Counter[str]) -> None:
    assert len(counted.trials()) == 100
    assert requests == {"ls": 1, "get": 100}


def test_trials_are_read_in_parallel(counted: RecordStore) -> None:
    CountingFileSystem.meeting = threading.Barrier(4)
    assert PARALLEL_READS % 4 == 100 % 4 == 0
    assert len(counted.trials()) == 100


def test_a_driver_reads_its_trials_once(
    counted: RecordStore, requests: Counter[str], trial: TrialRecord
) -> None:
    driver = counted.in_memory()
    assert len(driver.trials()) == 100
    requests.clear()
    done = trial.model_copy(update={"trial_id": "7", "state": TrialState.COMPLETE})
    driver.with_retries(lambda action: action()).save_trial(done)
    driver.save_trial(trial.model_copy(update={"trial_id": "100"}))
    records = driver.trials()
    assert (records[7], len(records)) == (done, 101)
    assert requests == {"put": 2, "makedirs": 1}
    assert counted.trials() == records


def test_a_driver_that_writes_before_it_reads_misses_nothing(
    counted: RecordStore, trial: TrialRecord
) -> None:
    driver = counted.in_memory()
    driver.save_trial(trial.model_copy(update={"trial_id": "100"}))
    assert len(driver.trials()) == 101


def test_readers_of_the_copy_in_memory_share_nothing(counted: RecordStore) -> None:
    driver = counted.in_memory()
    first, *_ = driver.trials()
    first.metrics["auc"], first.state = 0.7, TrialState.FAILED
    again, *_ = driver.trials()
    assert (again.metrics, again.state) == ({}, TrialState.RUNNING)


def test_a_failed_write_does_not_reach_the_copy_in_memory(
    counted: RecordStore, trial: TrialRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = counted.in_memory()
    driver.trials()

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(CountingFileSystem, "pipe_file", fail)
        with pytest.raises(OSError, match="no space"):
            driver.save_trial(trial.model_copy(update={"state": TrialState.COMPLETE}))
    lost = driver.fenced(Fence(1, lambda: "the lease is lost"))
    lost.save_trial(trial.model_copy(update={"state": TrialState.FAILED}))
    assert [t.state for t in driver.trials()] == [TrialState.RUNNING] * 100


def test_what_is_not_a_record_is_left_out(
    store: RecordStore, search: SearchRecord, trial: TrialRecord
) -> None:
    assert store.trials() == []
    store.save_trial(trial)
    trials = Path(store.url) / "trials"
    (trials / "1").mkdir()  # the driver was killed before it wrote the record
    (trials / "notes.txt").touch()
    assert store.trials() == [trial]
    assert store.search() == search
