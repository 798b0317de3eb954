"""Runs what is missing in worker processes, one thread each, with the time left."""

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import torch
from tests.bench.scaling.runs import ResultFile, Run, RunResult, missing
from tests.bench.scaling.training import run_cost, train

from mixfront.lanes.memory import KEEP_FREED_MEMORY

# A run takes about as long as if every row cost this many FLOPs more than the model: embeddings,
# batches, optimizers. Measured at one thread; only the estimate of the time left depends on it.
OVERHEAD_FLOPS = 2.0e9  # per 2,048 rows


def run_missing(
    runs: Sequence[Run],
    folder: Path,
    *,
    num_workers: int,
) -> list[RunResult]:
    """Train the runs without a result, the largest first; returns the results of all, in order.

    Prints one line per finished run.

    Args:
        runs: The runs.
        folder: Of the study, with the data set and the results.
        num_workers: Processes; 0 trains in this process.
    """
    file = ResultFile(folder / "results.jsonl")
    left = missing(runs, file.read())
    expected = {run.key: run_cost(run, folder)[1] + OVERHEAD_FLOPS for run in left}
    left.sort(key=lambda run: -expected[run.key])
    progress = Progress(expected, max(num_workers, 1))
    for result in _train_all(left, folder, num_workers):
        file.append(result)
        print(progress.line(result), flush=True)
    results = file.read()
    return [replace(results[run.key], label=run.label, size=run.size) for run in runs]


class Progress:
    """Estimates the time left from the FLOPs of finished and unfinished runs.

    Args:
        expected: Key -> relative duration of every run that is left.
        num_workers: How many run at the same time.
    """

    def __init__(self, expected: Mapping[str, float], num_workers: int) -> None:
        self._expected = dict(expected)
        self._left = dict(expected)
        self._num_workers = num_workers
        self._seconds = 0.0

    def line(self, result: RunResult) -> str:
        """One line about a run that has just finished."""
        del self._left[result.key]
        self._seconds += result.seconds
        done = sum(self._expected.values()) - sum(self._left.values())
        left = self._seconds / done * sum(self._left.values()) / self._num_workers
        number, count = len(self._expected) - len(self._left), len(self._expected)
        return (
            f"{time.strftime('%H:%M:%S')} {number}/{count} {result.label} {result.size}, "
            f"seed {result.seed}, lr {result.learning_rate:g}: "
            f"AUC {result.auc:.4f}, {result.seconds:.0f} s, about {left / 60:.0f} min left"
        )


def _train_all(runs: Sequence[Run], folder: Path, num_workers: int) -> Iterator[RunResult]:
    if not num_workers:
        yield from (train(run, folder) for run in runs)
        return
    os.environ.update(KEEP_FREED_MEMORY)  # glibc reads it when the workers start
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, _start_worker, (os.getpid(),)) as pool:
        futures = [pool.submit(train, run, folder) for run in runs]
        try:
            yield from (future.result() for future in as_completed(futures))
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker(parent: int) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    threading.Thread(target=_exit_with, args=(parent,), daemon=True).start()


def _exit_with(parent: int) -> None:
    """End this process when its parent is gone, even if that was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
