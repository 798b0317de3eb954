"""The file in a search's folder by which `mixfront search stop` reaches the driver."""

import logging
import time
from collections.abc import Callable

import fsspec

from mixfront.records.retries import FIRST_WAIT_S, MAX_WAIT_S, OUTAGE_S, StorageRetries
from mixfront.records.scrub import describe_error

STOP_FILE = "stop-requested"

logger = logging.getLogger(__name__)


class StopFile:
    """Looks for a stop request; never raises and never waits, however broken the storage is.

    Args:
        folder: URL of the search's folder.
        retries: Told when storage could not be read for `outage_s` seconds.
        outage_s: Keep trying for this many seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        folder: str,
        retries: StorageRetries,
        *,
        outage_s: float = OUTAGE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fs, root = fsspec.core.url_to_fs(folder)
        self._path = f"{root}/{STOP_FILE}"
        self._retries = retries
        self._outage_s = outage_s
        self._clock = clock
        self._failing_since: float | None = None
        self._next_look = clock()
        self._wait_s = FIRST_WAIT_S

    def discard(self) -> None:
        """Remove a request left over from an earlier driver.

        Raises:
            StorageError: If storage keeps failing.
        """
        self._retries(self._consume)

    def is_requested(self) -> bool:
        """Whether a stop was requested; the request is removed."""
        if self._clock() < self._next_look:
            return False
        try:
            is_requested = self._consume()
        except Exception as error:  # the thread that looks must survive
            self._back_off(error)
            return False
        if self._failing_since is not None:
            logger.warning("%s can be looked for again", self._path)
        self._failing_since, self._wait_s = None, FIRST_WAIT_S
        return is_requested

    def _consume(self) -> bool:
        self._fs.invalidate_cache()
        if not self._fs.exists(self._path):
            return False
        try:
            self._fs.rm_file(self._path)
        except Exception as error:  # the next driver discards it
            logger.warning("%s could not be removed (%s)", self._path, describe_error(error))
        return True

    def _back_off(self, error: Exception) -> None:
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
            logger.warning(
                "%s cannot be looked for (%s); budgets and Ctrl-C still work",
                self._path,
                describe_error(error),
            )
        elif now - self._failing_since >= self._outage_s:
            self._retries.give_up(error)
        self._next_look = now + self._wait_s
        self._wait_s = min(2 * self._wait_s, MAX_WAIT_S)


def request_stop(folder: str) -> None:
    """Ask the driver of the search in `folder` to stop; it notices within about a second."""
    fs, root = fsspec.core.url_to_fs(folder)
    fs.pipe_file(f"{root}/{STOP_FILE}", b"")
