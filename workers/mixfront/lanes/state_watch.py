"""Waiting for a state to change, inside one event loop."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class StateWatch:
    """Counts the changes of some state and wakes those who wait for one.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = asyncio.Condition()
        self.version = 0

    async def notify(self) -> None:
        """The state has changed."""
        self.version += 1
        async with self._changed:
            self._changed.notify_all()

    async def until(self, ready: Callable[[], _T | None], timeout_s: float) -> _T | None:
        """Wait until `ready()` gives something; None if the time is over."""
        deadline = self._clock() + timeout_s
        async with self._changed:
            while (found := ready()) is None:
                left = deadline - self._clock()
                if left <= 0:
                    return None
                try:
                    await asyncio.wait_for(self._changed.wait(), left)
                except TimeoutError:
                    return ready()
        return found
