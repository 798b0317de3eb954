"""Watches for every reason to stop a running search.

Ctrl-C, SIGTERM, `mixfront search stop` (a file in the search's folder), a lost lease, a spent
budget and a storage that keeps failing all lead to the same cooperative stop: trials write a
checkpoint and reply.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from mixfront.records.retries import StorageRetries
from mixfront.search.limits.stop_file import StopFile

POLL_S = 1.0


class Interruption:
    """Watches for reasons to stop; calls `on_stop(reason)` once, from its own thread.

    Args:
        stop_file: Where a stop request may appear.
        storage: Says whether the search's storage was given up.
        budget: Returns a sentence if a budget is spent, else None.
        on_stop: Called with the reason.
        lease: Returns a sentence if the driver has lost the search, else None.
    """

    def __init__(
        self,
        stop_file: StopFile,
        storage: StorageRetries,
        budget: Callable[[], str | None],
        on_stop: Callable[[str], None],
        *,
        lease: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.reason: str | None = None
        self.can_resume = False  # False if a spent budget ended the search
        self._stop_file = stop_file
        self._storage = storage
        self._budget = budget
        self._lease = lease
        self._on_stop = on_stop
        self._wake = threading.Event()
        self._ended = threading.Event()

    @contextmanager
    def watch(self) -> Iterator["Interruption"]:
        """Handle signals and poll until the block ends; a second Ctrl-C is left to Python."""
        self._stop_file.discard()
        before = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        thread = threading.Thread(target=self._poll, name="mixfront-interruption", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            self._wake.set()
            thread.join()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler)
        self.can_resume = True
        self.reason = f"interrupted by {signal.Signals(number).name}"
        self._wake.set()

    def _poll(self) -> None:
        while self.reason is None and not self._wake.wait(POLL_S):
            self._look()
        if self.reason is not None and not self._ended.is_set():
            self._on_stop(self.reason)

    def _look(self) -> None:
        if (lost := self._lease()) is not None:  # first: the stop file is another driver's now
            self.can_resume, self.reason = True, lost
        elif self._stop_file.is_requested():
            self.can_resume, self.reason = True, "stopped by `mixfront search stop`"
        elif self._storage.failure is not None:
            self.can_resume, self.reason = True, self._storage.failure
        else:
            self.reason = self._budget()
