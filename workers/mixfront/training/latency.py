"""How long an exported model takes to score rows: percentiles over repeated calls."""

import time
from collections.abc import Callable, Iterable
from itertools import cycle, islice
from typing import Literal, TypeVar

import numpy as np
import pyarrow as pa
from torch import Tensor

from mixfront.data import Batch, EncodedSplit, eval_batches

BATCH_SIZES = (1, 512)
PERCENTILES = (50, 99)
# of rows that are encoded already, and of raw ones
LATENCIES = tuple(
    f"{kind}_p{p}_ms_b{size}"
    for kind in ("latency", "latency_raw")
    for size in BATCH_SIZES
    for p in PERCENTILES
)
DISTINCT = 16  # batches that take turns, so that the cache does not always hold the same rows
RAW_ROWS = DISTINCT * max(BATCH_SIZES)  # as many are enough
WARM_UP = 1  # calls that are not counted: evaluation has warmed all but the batch size
MIN_CALLS, MAX_CALLS = 2, 1000  # that are counted, of each kind at each batch size

Rows = TypeVar("Rows")


def measure_latency(
    score: Callable[[Batch], Tensor],
    predict: Callable[[pa.Table], object],
    split: EncodedSplit,
    raw: pa.Table,
    *,
    seconds: float,
) -> dict[str, float]:
    """Milliseconds from rows in host memory to their probabilities there, `LATENCIES`.

    Each batch size is called 1,000 times, or as often as a quarter of `seconds` allows, but at
    least twice, after one call to warm up: first with encoded rows, then with raw ones. Of
    fewer than 100 calls p99 is the slowest one. What else runs on the machine, other lanes
    too, is in the numbers; threads are those of the process.

    Args:
        score: Probabilities (N,) of a batch, as `Scorer.probabilities`.
        predict: The same of raw rows, as `Predictor.predict`.
        split: Encoded rows; a batch that they do not fill is padded.
        raw: Raw rows, the first `RAW_ROWS` of the same split; fewer are repeated.
        seconds: To spend in all, about.
    """
    budget = seconds / (2 * len(BATCH_SIZES))
    found: list[float] = []
    for size in BATCH_SIZES:
        every = eval_batches(split, batch_size=size, rank=0, world_size=1)
        # `cpu` waits for the device
        found += _percentiles(lambda batch: score(batch).cpu(), every, budget)
    for size in BATCH_SIZES:
        found += _percentiles(predict, _requests(raw, size), budget)
    return dict(zip(LATENCIES, found, strict=True))


def _requests(raw: pa.Table, size: int) -> Iterable[pa.Table]:
    """Tables of `size` rows each."""
    for start in range(0, DISTINCT * size, size):
        yield raw.take(np.arange(start, start + size) % raw.num_rows).combine_chunks()


def _percentiles(
    run: Callable[[Rows], object], requests: Iterable[Rows], budget: float
) -> list[float]:
    taken = _seconds(run, list(islice(requests, DISTINCT)), budget)
    return [1e3 * _percentile(taken, p) for p in PERCENTILES]


def _percentile(taken: list[float], percentile: int) -> float:
    """Towards the tail, a call that was made: nothing is known between the slowest two."""
    method: Literal["linear", "higher"] = "linear" if percentile == 50 else "higher"
    return float(np.percentile(taken, percentile, method=method))


def _seconds(run: Callable[[Rows], object], requests: list[Rows], budget: float) -> list[float]:
    """Of every counted call."""
    deadline = time.perf_counter() + budget
    turns = cycle(requests)
    for request in islice(turns, WARM_UP):
        run(request)
    taken: list[float] = []
    for request in islice(turns, MAX_CALLS):
        started = time.perf_counter()
        run(request)
        ended = time.perf_counter()
        taken.append(ended - started)
        if ended > deadline and len(taken) >= MIN_CALLS:
            break
    return taken
