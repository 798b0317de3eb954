"""Signals, a stop request and a spent budget all lead to the same stop."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mixfront.records.retries import StorageRetries
from mixfront.search.limits.interruption import Interruption
from mixfront.search.limits.stop_file import STOP_FILE, StopFile, request_stop

TIMEOUT_S = 20


class StopRecorder:
    """Records the reasons passed to `on_stop`."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.called = threading.Event()

    def __call__(self, reason: str) -> None:
        """Record a reason; called from the watching thread."""
        self.reasons.append(reason)
        self.called.set()


def interruption(
    folder: Path, budget: Callable[[], str | None], on_stop: StopRecorder
) -> Interruption:
    """The interruption of a search in a folder."""
    storage = StorageRetries("demo", outage_s=0)
    return Interruption(StopFile(str(folder), storage, outage_s=0), storage, budget, on_stop)


def no_budget() -> str | None:
    return None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_search(number: signal.Signals, tmp_path: Path) -> None:
    before, stopped = signal.getsignal(number), StopRecorder()
    with interruption(tmp_path, no_budget, stopped).watch() as watch:
        os.kill(os.getpid(), number)
        assert stopped.called.wait(TIMEOUT_S)
    assert stopped.reasons == [f"interrupted by {number.name}"]
    assert watch.can_resume
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_is_left_to_python(tmp_path: Path) -> None:
    stopped = StopRecorder()

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped.called.wait(TIMEOUT_S)
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()

    with interruption(tmp_path, no_budget, stopped).watch(), pytest.raises(KeyboardInterrupt):
        twice()


def test_a_stop_request_from_another_process_stops_the_search(tmp_path: Path) -> None:
    stopped = StopRecorder()
    with interruption(tmp_path, no_budget, stopped).watch() as watch:
        request_stop(str(tmp_path))
        assert stopped.called.wait(TIMEOUT_S)
    assert watch.can_resume
    assert "mixfront search stop" in stopped.reasons[0]
    assert not (tmp_path / STOP_FILE).exists()


def test_a_stop_request_left_from_an_earlier_run_is_ignored(tmp_path: Path) -> None:
    request_stop(str(tmp_path))
    stopped = StopRecorder()
    with interruption(tmp_path, no_budget, stopped).watch() as watch:
        assert not stopped.called.wait(1.5)
    assert watch.reason is None
    assert stopped.reasons == []


def test_a_spent_budget_does_not_count_as_stopped_by_the_user(tmp_path: Path) -> None:
    stopped = StopRecorder()
    with interruption(tmp_path, lambda: "the time budget is spent", stopped).watch() as watch:
        assert stopped.called.wait(TIMEOUT_S)
    assert stopped.reasons == ["the time budget is spent"]
    assert not watch.can_resume


def test_a_budget_ends_the_search_although_storage_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that polls used to die of the first error, and no budget ended the search."""
    stopped, spent = StopRecorder(), threading.Event()
    storage = StorageRetries("demo")
    stop_file = StopFile(str(tmp_path), storage)
    budget = lambda: "the time budget is spent" if spent.is_set() else None  # noqa: E731
    with Interruption(stop_file, storage, budget, stopped).watch() as watch:
        monkeypatch.setattr(stop_file._fs, "exists", broken)
        assert not stopped.called.wait(1.5)
        spent.set()
        assert stopped.called.wait(TIMEOUT_S)
    assert stopped.reasons == ["the time budget is spent"]
    assert not watch.can_resume


def test_storage_that_keeps_failing_interrupts_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = StopRecorder()
    with interruption(tmp_path, no_budget, stopped).watch() as watch:
        monkeypatch.setattr(watch._stop_file._fs, "exists", broken)
        assert stopped.called.wait(TIMEOUT_S)
    assert "OSError: connection reset" in stopped.reasons[0]
    assert "mixfront search resume demo" in stopped.reasons[0]
    assert watch.can_resume


def test_a_lost_lease_interrupts_the_search_although_storage_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop request of that moment is left for the driver that has taken over."""
    stopped, storage, lost = StopRecorder(), StorageRetries("demo"), threading.Event()
    stop_file = StopFile(str(tmp_path), storage)
    lease = lambda: "the lease is lost" if lost.is_set() else None  # noqa: E731
    with Interruption(stop_file, storage, no_budget, stopped, lease=lease).watch() as watch:
        with monkeypatch.context() as outage:
            outage.setattr(stop_file._fs, "exists", broken)
            assert not stopped.called.wait(1.5)
            lost.set()
            request_stop(str(tmp_path))
        assert stopped.called.wait(TIMEOUT_S)
    assert stopped.reasons == ["the lease is lost"]
    assert watch.can_resume
    assert (tmp_path / STOP_FILE).exists()


def broken(*_arguments: object) -> bool:
    raise OSError("connection reset")
