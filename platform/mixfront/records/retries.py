"""Repeats operations on a search's storage that fail, for a bounded time."""

import logging
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from mixfront.exceptions import MixfrontError, StorageError
from mixfront.records.fence import Fence
from mixfront.records.scrub import describe_error

T = TypeVar("T")

logger = logging.getLogger(__name__)

_NO_FENCE = Fence()
FIRST_WAIT_S, MAX_WAIT_S = 0.5, 15.0
OUTAGE_S = 120.0  # an outage that lasts longer interrupts the search
# Raised by mistakes, which a repetition cannot fix. Everything else may come from the storage:
# every driver and every database has its own exceptions.
_MISTAKES = (
    *(MixfrontError, ValueError, TypeError, LookupError, AttributeError),
    *(ArithmeticError, AssertionError),
)


class Retry(Protocol):
    """Calls an action until it succeeds."""

    def __call__(self, action: Callable[[], T], /) -> T:
        """The result of the action."""


def once(action: Callable[[], T], /) -> T:
    """Call an action without repeating it."""
    return action()


class StorageRetries:
    """Repeats actions on a search's storage, with backoff; safe to call from several threads.

    Args:
        search: Name of the search, for the error.
        outage_s: Repeat an action for this many seconds.
        fence: While it is closed, nothing is repeated: the search belongs to another driver.
        sleep: Waits for some seconds.
        clock: Monotonic seconds.

    Attributes:
        failure: Why the storage was given up, in one sentence; None while it works. From then on
            actions are tried only once, so that the search can end.
    """

    def __init__(
        self,
        search: str,
        *,
        outage_s: float = OUTAGE_S,
        fence: Fence = _NO_FENCE,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failure: str | None = None
        self._search = search
        self._outage_s = outage_s
        self._fence = fence
        self._sleep = sleep
        self._clock = clock

    def __call__(self, action: Callable[[], T], /) -> T:
        """The result of the action, which is safe to repeat.

        Raises:
            StorageError: If it keeps failing.
        """
        start, wait_s = self._clock(), FIRST_WAIT_S
        while True:
            try:
                result = action()
            except Exception as error:
                if isinstance(error, _MISTAKES):
                    raise
                is_over = self._clock() - start + wait_s > self._outage_s
                if is_over or self.failure is not None or not self._fence.is_open:
                    raise self.give_up(error) from None
                logger.warning(
                    "the storage of search %s failed (%s); trying again in %.1f s",
                    self._search,
                    describe_error(error),
                    wait_s,
                )
            else:
                if wait_s > FIRST_WAIT_S:
                    logger.warning("the storage of search %s works again", self._search)
                return result
            self._sleep(wait_s)
            wait_s = min(2 * wait_s, MAX_WAIT_S)

    def give_up(self, error: Exception) -> StorageError:
        """Record that the storage has failed for too long; the first failure is kept."""
        if self.failure is None:
            self.failure = self._fence.closed_because() or (
                f"the search's storage failed for {self._outage_s:.0f} s "
                f"({describe_error(error)}); fix it, then run "
                f"`mixfront search resume {self._search}`"
            )
        return StorageError(self.failure)
