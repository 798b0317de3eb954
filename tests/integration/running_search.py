"""A search in its own process, as a user would start it, and ways to disturb it."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from mixfront.records import RecordStore, TrialRecord, TrialState

NAME = "lives"
DEADLINE_S = 240
MARK = "MIXFRONT_TEST_MARK"  # inherited by every process of a search, to find them by


class RunningSearch:
    """`mixfront search ...` in the background.

    Args:
        folder: Folder of the search, its tracking database and its output.
        words: Arguments of `mixfront search`.
        env: Additional environment variables.
        program: The module to run, and its first arguments.
    """

    def __init__(
        self,
        folder: Path,
        *words: str,
        env: Mapping[str, str] | None = None,
        program: Sequence[str] = ("mixfront.cli", "search"),
    ) -> None:
        self.store = RecordStore(str(folder / "searches"), NAME)
        self.mark = uuid.uuid4().hex
        self.printed = folder / f"printed-{self.mark}.txt"
        with self.printed.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *program, *words],
                env=environment(folder) | {MARK: self.mark} | dict(env or {}),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def trials(self) -> list[TrialRecord]:
        """The current trial records; empty before the first."""
        return self.store.trials() if self.store.exists() else []

    def wait_until(self, condition: Callable[[list[TrialRecord]], bool]) -> None:
        """Wait until the trials meet a condition while the search is running."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition(self.trials()):
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.1)

    def finish(self) -> list[TrialRecord]:
        """Wait for the search to end successfully."""
        assert self.process.wait(timeout=DEADLINE_S) == 0, self.text()
        return self.trials()

    def text(self) -> str:
        """Output of the search."""
        return self.printed.read_text()

    def kill_one(self, title: str) -> None:
        """SIGKILL the first process of the search whose title contains `title`."""
        matches = [process for process in self._processes() if title in _title(process)]
        assert matches, [_title(process) for process in self._processes()]
        matches[0].kill()

    def interrupt(self) -> float:
        """Send Ctrl-C; returns the seconds until the process ends."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)
        return time.monotonic() - started

    def kill_driver(self) -> None:
        """SIGKILL the driver and wait for Ray's processes to exit on their own."""
        self.process.kill()
        self.process.wait(timeout=30)
        deadline = time.monotonic() + 60
        while list(self._processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert list(self._processes()) == []

    def clean_up(self) -> None:
        """Kill all remaining processes of the search."""
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
    """Environment of a search in `folder`."""
    variables = os.environ | {
        "MIXFRONT_STORAGE": str(folder / "searches"),
        "MIXFRONT_CACHE": str(folder / "cache"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    variables.pop("RAY_ADDRESS", None)
    return variables


@contextmanager
def running(
    folder: Path, *words: str, env: Mapping[str, str] | None = None
) -> Iterator[RunningSearch]:
    """A search whose processes are killed when the block ends."""
    search = RunningSearch(folder, *words, env=env)
    try:
        yield search
    finally:
        search.clean_up()


def in_the_middle(trials: list[TrialRecord]) -> bool:
    """Whether a trial is running and has a checkpoint."""
    return any(t.state is TrialState.RUNNING and t.checkpoint is not None for t in trials)


def complete(trials: list[TrialRecord]) -> int:
    """Number of complete trials."""
    return sum(trial.state is TrialState.COMPLETE for trial in trials)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
