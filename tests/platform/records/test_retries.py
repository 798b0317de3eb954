"""Repetition of what fails in storage."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from mixfront.exceptions import StorageError
from mixfront.records import RecordStore, TrialRecord
from mixfront.records.fence import Fence
from mixfront.records.retries import StorageRetries


class Clock:
    """A clock that advances only during waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def retries(clock: Clock) -> StorageRetries:
    return StorageRetries("demo", outage_s=60, sleep=clock.sleep, clock=clock)


def failing(times: int, error: Exception) -> Callable[[], str]:
    """An action that fails a number of times, then works."""
    errors = iter([error] * times)

    def action() -> str:
        for problem in errors:
            raise problem
        return "done"

    return action


def test_an_outage_is_waited_for_and_logged(
    retries: StorageRetries, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert retries(failing(6, OSError("503 SlowDown"))) == "done"
    assert clock.waits == [0.5, 1, 2, 4, 8, 15]
    assert retries.failure is None
    assert "OSError: 503 SlowDown" in caplog.text
    assert "works again" in caplog.text


def test_a_long_outage_is_one_sentence_that_says_how_to_go_on(
    retries: StorageRetries, clock: Clock
) -> None:
    with pytest.raises(StorageError) as given_up:
        retries(failing(99, OSError("cannot reach https://me:secret@s3.example\nmore")))
    assert str(given_up.value) == retries.failure
    assert retries.failure == (
        "the search's storage failed for 60 s (OSError: cannot reach https://***@s3.example); "
        "fix it, then run `mixfront search resume demo`"
    )
    assert clock.now <= 60
    waited = len(clock.waits)
    with pytest.raises(StorageError):
        retries(failing(99, OSError("still")))
    assert len(clock.waits) == waited  # once given up, nothing waits
    assert retries(failing(0, OSError())) == "done"


def test_errors_of_any_driver_are_repeated_but_mistakes_are_not(
    retries: StorageRetries, clock: Clock
) -> None:
    class EndpointConnectionError(Exception):
        """As botocore's, which is not an OSError."""

    assert retries(failing(1, EndpointConnectionError())) == "done"
    with pytest.raises(TypeError):
        retries(failing(1, TypeError("a bug")))
    assert clock.waits == [0.5]


def test_a_store_repeats_reads_and_writes(
    store: RecordStore,
    trial: TrialRecord,
    retries: StorageRetries,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patient = store.with_retries(retries)
    fs = store._fs
    for name in ("pipe_file", "cat_file"):
        broken = failing(2, OSError("no space left"))
        method = getattr(fs, name)
        monkeypatch.setattr(fs, name, lambda *a, b=broken, m=method: (b(), m(*a))[1])
    patient.save_trial(trial)
    assert patient.trials() == [trial]
    assert clock.waits == [0.5, 1, 0.5, 1]


def test_nothing_is_repeated_once_the_lease_is_lost(clock: Clock) -> None:
    lost = Fence(1, lambda: "the lease is lost" if clock.now > 5 else None)
    retries = StorageRetries("demo", outage_s=60, fence=lost, sleep=clock.sleep, clock=clock)
    with pytest.raises(StorageError, match="the lease is lost"):
        retries(failing(9, OSError("503 SlowDown")))
    assert clock.waits == [0.5, 1, 2, 4]
    assert retries.failure == "the lease is lost"


def test_a_write_that_is_repeated_after_the_lease_was_lost_does_nothing(
    tmp_path: Path, clock: Clock, retries: StorageRetries, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another driver has taken over and written while the storage failed."""
    records = RecordStore(str(tmp_path), "demo")
    fence = Fence(1, lambda: "the lease is lost" if clock.now > 5 else None)
    first = records.with_retries(retries).fenced(fence)
    ours, theirs = (TrialRecord(trial_id="0", family=name, config={}) for name in ("a", "b"))
    makedirs = first._fs.makedirs

    def fail_for_a_while(*arguments: object, **options: object) -> None:
        if clock.now == 0:
            raise OSError("503 SlowDown")
        makedirs(*arguments, **options)

    def sleep_and_be_replaced(seconds: float) -> None:
        clock.sleep(seconds)
        monkeypatch.setattr(clock, "now", 90.0)
        records.save_trial(theirs)

    monkeypatch.setattr(first._fs, "makedirs", fail_for_a_while)
    monkeypatch.setattr(retries, "_sleep", sleep_and_be_replaced)
    first.save_trial(ours)
    assert records.trials() == [theirs]
