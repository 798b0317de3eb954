"""A driver in a process of its own, which a test can kill at any moment.

Processes are forked from a server that has imported everything once.
"""

import multiprocessing
import os
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from queue import Empty
from typing import Any

from tests.faults.in_process.storage_calls import CHANGES, database_calls, file_calls
from tests.faults.in_process.training_log import LANES, WORKLOAD, TrainingLog

_CONTEXT = multiprocessing.get_context("forkserver")
_PRELOAD = [
    *("mixfront.cli.drive", "mixfront.search.run", "mixfront.search.prepare"),
    *("mlflow.store.tracking.sqlalchemy_store", "optuna.storages", "torch"),
]
END_S = 120.0


@dataclass(frozen=True)
class Death:
    """When a driver kills itself with SIGKILL.

    Attributes:
        before_write: Number of the write before which it does; counts files and commits.
        torn: If that is a write to a file, half of its bytes are written before.
    """

    before_write: int
    torn: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a driver ended that was not killed."""

    writes: int
    error: str | None  # type and message
    began: float  # monotonic; when it had the search and began to train, 0 if it never did
    ended: float


class DriverProcess:
    """One driver of a search, started at once.

    Args:
        url: The search's folder.
        log: Where it notes the starts of trials.
        databases: SQLite files whose commits count as writes.
        death: When it kills itself, if ever.
        pause_s: Real seconds that it waits at the start of every trial.
    """

    def __init__(
        self,
        url: str,
        log: TrainingLog,
        databases: tuple[str, ...] = (),
        death: Death | None = None,
        pause_s: float = 0.0,
    ) -> None:
        _CONTEXT.set_forkserver_preload(_PRELOAD)
        self._answers: Any = _CONTEXT.Queue()
        arguments = (self._answers, url, log, databases, death, pause_s)
        self._process: BaseProcess = _CONTEXT.Process(target=_run, args=arguments)
        self._process.start()

    def kill(self) -> None:
        """SIGKILL it, if it still runs."""
        self._process.kill()

    def join(self) -> Outcome | None:
        """Wait for its end; None if it was killed."""
        outcome: Outcome | None = None
        deadline = time.monotonic() + END_S
        while outcome is None and time.monotonic() < deadline:
            is_running = self._process.is_alive()
            try:
                outcome = self._answers.get(timeout=0.05)
            except Empty:
                if not is_running:
                    break
        self._process.join(END_S)
        assert self._process.exitcode in (0, -signal.SIGKILL), self._process.exitcode
        self._answers.close()
        self._process.close()
        return outcome


def _run(
    answers: Any,
    url: str,
    log: TrainingLog,
    databases: tuple[str, ...],
    death: Death | None,
    pause_s: float,
) -> None:
    """Be the driver."""
    from tests.bench.scale.simulated_pool import SimulatedPool
    from tests.bench.scale.simulated_search import run_driver

    from mixfront.records import RecordStore

    writes, began, error = 0, 0.0, None

    def count(operation: str) -> None:
        nonlocal writes
        if operation not in (*CHANGES, "write", "commit"):
            return
        writes += 1
        if death is not None and writes >= death.before_write:
            if death.torn and operation == "write" and writes == death.before_write:
                raise OSError("half is written now, and the rest would be next")
            os.kill(os.getpid(), signal.SIGKILL)

    def on_train(trial_id: str) -> None:
        nonlocal began
        began = began or time.monotonic()
        log.add(trial_id)
        time.sleep(pause_s)

    with ExitStack() as stack:
        stack.enter_context(file_calls(url, count))
        stack.enter_context(database_calls("commit", databases, count))
        try:
            run_driver(RecordStore(*url.rsplit("/", 1)), SimulatedPool(LANES, WORKLOAD, on_train))
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
    answers.put(Outcome(writes, error, began, time.monotonic()))
    answers.close()
    answers.join_thread()
