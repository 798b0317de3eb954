"""A prototype of prefetching: side threads assemble and copy batches while the model trains."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import count, islice
from typing import Any

import torch
from torch import Tensor

from mixfront.data import Batch

DEPTH = 4  # batches that are ready or being assembled


class Prefetcher:
    """Prefetches batches and yields them in order, with any number of threads.

    Args:
        assemble: Assembles batch number i in host memory.
        device: Where to copy each batch; None does not copy it.
        threads: Number of threads.
        pinned: Whether to copy by way of pinned memory.
    """

    def __init__(
        self,
        assemble: Callable[[int], Batch],
        *,
        device: str | None,
        threads: int = 1,
        pinned: bool = False,
    ) -> None:
        self._assemble = assemble
        self._device = device
        self._threads = threads
        self._pinned = pinned
        self._stream: torch.cuda.Stream | None = None
        if device is not None and device.startswith("cuda"):
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's

    def batches(self, number: int) -> Iterator[Batch]:
        """The first `number` batches."""
        with ThreadPoolExecutor(self._threads) as pool:
            numbers = iter(range(number))
            ahead: deque[Future[Batch]] = deque(
                pool.submit(self._load, i) for i in islice(numbers, DEPTH)
            )
            while ahead:
                batch = ahead.popleft().result()
                ahead.extend(pool.submit(self._load, i) for i in islice(numbers, 1))
                self._record_stream(batch)
                yield batch

    def _load(self, number: int) -> Batch:
        batch = self._assemble(number)
        if self._pinned:
            batch = pin(batch)
        if self._device is None:
            return batch
        if self._stream is None:
            return batch.to(self._device)
        with torch.cuda.stream(self._stream):
            return batch.to(self._device)  # synchronous: the copy is complete on return

    def _record_stream(self, batch: Batch) -> None:
        """Keep the side stream from reusing the batch's memory while training reads it."""
        if self._stream is not None:
            for value in vars(batch).values():
                if isinstance(value, Tensor):
                    value.record_stream(torch.cuda.current_stream())


def pin(batch: Batch) -> Batch:
    """The same batch in pinned memory."""
    pinned: dict[str, Any] = {
        key: value.pin_memory() for key, value in vars(batch).items() if isinstance(value, Tensor)
    }
    return replace(batch, **pinned)


def cycle(batches: list[Batch]) -> Iterator[Batch]:
    """The same few batches, forever."""
    return (batches[i % len(batches)] for i in count())
