"""How long an exported model takes to score rows: percentiles over repeated calls."""

import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Literal

import numpy as np
from torch import Tensor

from mixfront.data import Batch, EncodedSplit, eval_batches

BATCH_SIZES = (1, 512)
PERCENTILES = (50, 99)
LATENCIES = tuple(f"latency_p{p}_ms_b{size}" for size in BATCH_SIZES for p in PERCENTILES)
DISTINCT = 16  # batches that take turns, so that not always the same rows lie in the cache
WARM_UP = 1  # calls that are not counted: evaluation has warmed all but the batch size
MIN_CALLS, MAX_CALLS = 2, 1000  # that are counted, at each batch size


def measure_latency(
    score: Callable[[Batch], Tensor], split: EncodedSplit, *, seconds: float
) -> dict[str, float]:
    """Milliseconds from encoded rows in host memory to their probabilities there, `LATENCIES`.

    Each batch size is called 1,000 times, or as often as half of `seconds` allows, but twice at
    least, after one call to warm up. Of fewer than 100 calls p99 is the slowest one. What else
    runs on the machine, other lanes too, is in the numbers; threads are those of the process.

    Args:
        score: Probabilities (N,) of a batch, as `Scorer.probabilities`.
        split: Where the rows come from; a batch that they do not fill is padded.
        seconds: To spend in all, about.
    """
    found: list[float] = []
    for size in BATCH_SIZES:
        every = eval_batches(split, batch_size=size, rank=0, world_size=1)
        taken = _seconds(score, list(islice(every, DISTINCT)), seconds / len(BATCH_SIZES))
        found += [1e3 * _percentile(taken, p) for p in PERCENTILES]
    return dict(zip(LATENCIES, found, strict=True))


def _percentile(taken: list[float], percentile: int) -> float:
    """Towards the tail, a call that was made: between the slowest two lies no knowledge."""
    method: Literal["linear", "higher"] = "linear" if percentile == 50 else "higher"
    return float(np.percentile(taken, percentile, method=method))


def _seconds(score: Callable[[Batch], Tensor], batches: list[Batch], budget: float) -> list[float]:
    """Of every counted call."""
    deadline = time.perf_counter() + budget
    turns = cycle(batches)
    for batch in islice(turns, WARM_UP):
        score(batch).cpu()
    taken: list[float] = []
    for batch in islice(turns, MAX_CALLS):
        started = time.perf_counter()
        score(batch).cpu()  # waits for the device
        ended = time.perf_counter()
        taken.append(ended - started)
        if ended > deadline and len(taken) >= MIN_CALLS:
            break
    return taken
