"""Waiting for a state change inside one event loop."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class StateWatch:
    """Counts state changes and wakes the coroutines that wait for one.

    Args:
        clock: Monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = asyncio.Condition()
        self.version = 0

    async def notify(self) -> None:
        """Announce that the state has changed."""
        self.version += 1
        async with self._changed:
            self._changed.notify_all()

    async def until(self, ready: Callable[[], _T | None], timeout_s: float) -> _T | None:
        """Wait until `ready()` returns a value; None on timeout."""
        deadline = self._clock() + timeout_s
        async with self._changed:
            while (value := ready()) is None:
                left = deadline - self._clock()
                if left <= 0:
                    return None
                try:
                    await asyncio.wait_for(self._changed.wait(), left)
                except TimeoutError:
                    return ready()
        return value
