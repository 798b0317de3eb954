"""Shows that a command is still working, also if the output is not a terminal."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

EVERY_S = 10.0


class Ticker:
    """Calls a function every few seconds from its own thread, until it is stopped.

    Args:
        act: The function to call.
        every_s: Seconds between two calls.
    """

    def __init__(self, act: Callable[[], None], every_s: float) -> None:
        self._act = act
        self._every_s = every_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mixfront-ticker", daemon=True)

    def start(self) -> None:
        """Start the thread; the first call comes after `every_s` seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Stop calling, and wait for a call in progress."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            self._act()


@contextmanager
def waiting(console: Console, what: str, every_s: float = EVERY_S) -> Iterator[None]:
    """Show that something is in progress, by a spinner or by a line every ten seconds.

    Args:
        console: The console to print to.
        what: What is in progress, e.g. "reading and encoding the data".
        every_s: Seconds between two lines if the output is not a terminal.
    """
    started = time.monotonic()
    if console.is_terminal:
        with console.status(what) as status:
            ticker = Ticker(lambda: status.update(f"{what}, {_since(started)}"), 1.0)
            ticker.start()
            try:
                yield
            finally:
                ticker.stop()
        return
    ticker = Ticker(
        lambda: console.print(f"{what}, {_since(started)} so far", highlight=False), every_s
    )
    ticker.start()
    try:
        yield
    finally:
        ticker.stop()


def _since(started: float) -> str:
    return clock_text(time.monotonic() - started)


def clock_text(seconds: float) -> str:
    """Seconds as minutes and seconds, "1:05", or with hours, "2:00:00"."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
