"""A search in a process of its own, as a person would start it, and ways to disturb it."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from mixfront.records import RecordStore, TrialRecord, TrialState

NAME = "lives"
DEADLINE_S = 240
MARK = "MIXFRONT_TEST_MARK"  # inherited by every process of a search, so that they can be found


class RunningSearch:
    """`mixfront search ...` in the background.

    Args:
        folder: Where the search, its tracking and what it prints lie.
        words: What follows `mixfront search`.
        env: More of the environment.
    """

    def __init__(self, folder: Path, *words: str, env: Mapping[str, str] | None = None) -> None:
        self.store = RecordStore(str(folder / "searches"), NAME)
        self.mark = uuid.uuid4().hex
        self.printed = folder / f"printed-{self.mark}.txt"
        with self.printed.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mixfront.cli", "search", *words],
                env=environment(folder) | {MARK: self.mark} | dict(env or {}),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def trials(self) -> list[TrialRecord]:
        """The records as they are now; none before the first."""
        return self.store.trials() if self.store.exists() else []

    def wait_until(self, holds: Callable[[list[TrialRecord]], bool]) -> None:
        """Wait for something to be true of the trials while the search runs."""
        deadline = time.monotonic() + DEADLINE_S
        while not holds(self.trials()):
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.1)

    def finish(self) -> list[TrialRecord]:
        """Wait for its end, which must be a good one."""
        assert self.process.wait(timeout=DEADLINE_S) == 0, self.text()
        return self.trials()

    def text(self) -> str:
        """What it printed."""
        return self.printed.read_text()

    def kill_one(self, title: str) -> None:
        """SIGKILL one of its processes whose title contains `title`."""
        found = [process for process in self._processes() if title in _title(process)]
        assert found, [_title(process) for process in self._processes()]
        found[0].kill()

    def interrupt(self) -> float:
        """Ctrl-C; seconds until the prompt is back."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)
        return time.monotonic() - started

    def kill_driver(self) -> None:
        """SIGKILL the driver; Ray's processes notice and end."""
        self.process.kill()
        self.process.wait(timeout=30)
        deadline = time.monotonic() + 60
        while list(self._processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert list(self._processes()) == []

    def clean_up(self) -> None:
        """End whatever of it is left."""
        for process in self._processes():
            process.kill()

    def _processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark:
                    yield process
            except psutil.Error:
                continue


def environment(folder: Path) -> dict[str, str]:
    """What a search in `folder` is told by the environment."""
    told = os.environ | {
        "MIXFRONT_STORAGE": str(folder / "searches"),
        "MIXFRONT_CACHE": str(folder / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    told.pop("RAY_ADDRESS", None)
    return told


@contextmanager
def running(
    folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> Iterator[RunningSearch]:
    """A search that is gone when the block is over."""
    search = RunningSearch(folder, *words, env=env)
    try:
        yield search
    finally:
        search.clean_up()


def in_the_middle(trials: list[TrialRecord]) -> bool:
    """Whether a trial has a checkpoint and is still going."""
    return any(t.state is TrialState.RUNNING and t.checkpoint is not None for t in trials)


def complete(trials: list[TrialRecord]) -> int:
    """How many trials are complete."""
    return sum(trial.state is TrialState.COMPLETE for trial in trials)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
