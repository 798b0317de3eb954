"""Signals, a stop file and a spent budget all lead to the same stop."""

import os
import signal
import threading
from pathlib import Path

import pytest

from mixfront.search.interruption import STOP_FILE, Interruption, request_stop

PATIENCE_S = 20


class Stopped:
    """Remembers why it was stopped."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.heard = threading.Event()

    def __call__(self, reason: str) -> None:
        """Called by the watch."""
        self.reasons.append(reason)
        self.heard.set()


def no_budget() -> str | None:
    return None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal(number: signal.Signals, tmp_path: Path) -> None:
    before, stopped = signal.getsignal(number), Stopped()
    with Interruption(str(tmp_path), no_budget, stopped).watch() as watch:
        os.kill(os.getpid(), number)
        assert stopped.heard.wait(PATIENCE_S)
    assert stopped.reasons == [f"interrupted by {number.name}"]
    assert watch.by_user
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_is_pythons_own(tmp_path: Path) -> None:
    stopped = Stopped()

    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped.heard.wait(PATIENCE_S)
        os.kill(os.getpid(), signal.SIGINT)
        signal.pause()

    with Interruption(str(tmp_path), no_budget, stopped).watch(), pytest.raises(KeyboardInterrupt):
        twice()


def test_a_stop_request_from_another_process(tmp_path: Path) -> None:
    stopped = Stopped()
    with Interruption(str(tmp_path), no_budget, stopped).watch() as watch:
        request_stop(str(tmp_path))
        assert stopped.heard.wait(PATIENCE_S)
    assert watch.by_user
    assert "mixfront search stop" in stopped.reasons[0]
    assert not (tmp_path / STOP_FILE).exists()


def test_a_stop_request_of_an_earlier_run_means_nothing(tmp_path: Path) -> None:
    request_stop(str(tmp_path))
    stopped = Stopped()
    with Interruption(str(tmp_path), no_budget, stopped).watch() as watch:
        assert not stopped.heard.wait(1.5)
    assert watch.reason is None
    assert stopped.reasons == []


def test_a_spent_budget_is_no_users_wish(tmp_path: Path) -> None:
    stopped = Stopped()
    with Interruption(str(tmp_path), lambda: "the time budget is spent", stopped).watch() as watch:
        assert stopped.heard.wait(PATIENCE_S)
    assert stopped.reasons == ["the time budget is spent"]
    assert not watch.by_user
