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
# names of the metrics, for encoded rows and for raw rows
LATENCIES = tuple(
    f"{kind}_p{p}_ms_b{size}"
    for kind in ("latency", "latency_raw")
    for size in BATCH_SIZES
    for p in PERCENTILES
)
DISTINCT = 16  # number of batches to alternate, so that caches do not always hold the same rows
RAW_ROWS = DISTINCT * max(BATCH_SIZES)  # enough for all raw batches
WARM_UP = 1  # uncounted calls: after evaluation, only the batch size is new
MIN_CALLS, MAX_CALLS = 2, 1000  # counted calls per kind of rows and batch size

Rows = TypeVar("Rows")


def measure_latency(
    score: Callable[[Batch], Tensor],
    predict: Callable[[pa.Table], object],
    split: EncodedSplit,
    raw: pa.Table,
    *,
    seconds: float,
) -> dict[str, float]:
    """Milliseconds from rows in host memory to probabilities in host memory, as `LATENCIES`.

    Each batch size is called 1,000 times, or as often as a quarter of `seconds` allows, but at
    least twice, after one call to warm up: first with encoded rows, then with raw ones. With
    fewer than 100 calls, p99 is the slowest call. Other load on the machine, such as other
    lanes, affects the numbers; the number of threads is that of the process.

    Args:
        score: Returns probabilities (N,) of a batch, like `Scorer.probabilities`.
        predict: Returns those of raw rows, like `Predictor.predict`.
        split: Encoded rows; a partial batch is padded.
        raw: The first `RAW_ROWS` raw rows of the same split; if there are fewer, they repeat.
        seconds: Approximate time to spend in total.
    """
    budget = seconds / (2 * len(BATCH_SIZES))
    latencies: list[float] = []
    for size in BATCH_SIZES:
        every = eval_batches(split, batch_size=size, rank=0, world_size=1)
        # `cpu` waits for the device
        latencies += _percentiles(lambda batch: score(batch).cpu(), every, budget)
    for size in BATCH_SIZES:
        latencies += _percentiles(predict, _requests(raw, size), budget)
    return dict(zip(LATENCIES, latencies, strict=True))


def _requests(raw: pa.Table, size: int) -> Iterable[pa.Table]:
    """Tables of `size` rows each."""
    for start in range(0, DISTINCT * size, size):
        yield raw.take(np.arange(start, start + size) % raw.num_rows).combine_chunks()


def _percentiles(
    run: Callable[[Rows], object], requests: Iterable[Rows], budget: float
) -> list[float]:
    durations = _seconds(run, list(islice(requests, DISTINCT)), budget)
    return [1e3 * _percentile(durations, p) for p in PERCENTILES]


def _percentile(durations: list[float], percentile: int) -> float:
    """Interpolated for the median; for p99 a measured call, because few calls are in the tail."""
    method: Literal["linear", "higher"] = "linear" if percentile == 50 else "higher"
    return float(np.percentile(durations, percentile, method=method))


def _seconds(run: Callable[[Rows], object], requests: list[Rows], budget: float) -> list[float]:
    """Duration of every counted call."""
    deadline = time.perf_counter() + budget
    turns = cycle(requests)
    for request in islice(turns, WARM_UP):
        run(request)
    durations: list[float] = []
    for request in islice(turns, MAX_CALLS):
        started = time.perf_counter()
        run(request)
        ended = time.perf_counter()
        durations.append(ended - started)
        if ended > deadline and len(durations) >= MIN_CALLS:
            break
    return durations
