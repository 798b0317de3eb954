"""Watches for every reason to stop a running search.

Ctrl-C, SIGTERM, `mixfront search stop` (a file in the search's folder), a lost lease and a spent
budget all lead to the same cooperative stop: trials write a checkpoint and reply.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import fsspec

POLL_S = 1.0
STOP_FILE = "stop-requested"


class Interruption:
    """Watches for reasons to stop; calls `on_stop(reason)` once, from its own thread.

    Args:
        folder: URL of the search's folder, where a stop request may appear.
        budget: Returns a sentence if a budget is spent, else None.
        lease: Returns a sentence if the driver has lost the search, else None.
        on_stop: Called with the reason.
    """

    def __init__(
        self,
        folder: str,
        budget: Callable[[], str | None],
        on_stop: Callable[[str], None],
        *,
        lease: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.reason: str | None = None
        self.is_resumable = False  # a spent budget ends the search; anything else does not
        self._fs, root = fsspec.core.url_to_fs(folder)
        self._stop_file = f"{root}/{STOP_FILE}"
        self._budget = budget
        self._lease = lease
        self._on_stop = on_stop
        self._wake = threading.Event()
        self._ended = threading.Event()

    @contextmanager
    def watch(self) -> Iterator["Interruption"]:
        """Handle signals and poll until the block ends; a second Ctrl-C is left to Python."""
        self._consume_stop_file()  # ignores a request left over from an earlier run
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
        self.is_resumable = True
        self.reason = f"interrupted by {signal.Signals(number).name}"
        self._wake.set()

    def _poll(self) -> None:
        while not self._wake.wait(POLL_S):
            if (lost := self._lease()) is not None:
                self.is_resumable, self.reason = True, lost
            elif self._consume_stop_file():
                self.is_resumable, self.reason = True, "stopped by `mixfront search stop`"
            elif (spent := self._budget()) is not None:
                self.reason = spent
            if self.reason is not None:
                break
        if self.reason is not None and not self._ended.is_set():
            self._on_stop(self.reason)

    def _consume_stop_file(self) -> bool:
        self._fs.invalidate_cache()
        if not self._fs.exists(self._stop_file):
            return False
        self._fs.rm_file(self._stop_file)
        return True


def request_stop(folder: str) -> None:
    """Ask the driver of the search in `folder` to stop; it notices within about a second."""
    fs, root = fsspec.core.url_to_fs(folder)
    fs.pipe_file(f"{root}/{STOP_FILE}", b"")
