"""Whether the main loop of a worker moves: seen from another thread.

A step counter alone cannot tell a long evaluation from a hang. So the observer also looks at the
main thread's stack and at the processor time it used: a thread that waits in a collective, a lock
or a sleep shows the same stack and uses none.
"""

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

_BUSY_SHARE = 0.1  # of the time between two looks


class StallDetector:
    """Watches one thread.

    Args:
        thread: Which one; the caller's by default.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        thread: threading.Thread | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._thread = thread or threading.current_thread()
        self._clock = clock
        self.ticks = 0
        self._seen_ticks = -1
        self._seen_stack: tuple[tuple[int, int], ...] = ()
        self._seen_cpu_s = 0.0
        self._looked = self._moved = clock()

    def tick(self) -> None:
        """The main loop has done something: a step, a command."""
        self.ticks += 1

    def look(self) -> float:
        """Seconds since the main loop was last seen to move. For the observing thread."""
        now, stack, cpu_s = self._clock(), self._stack(), self._cpu_s()
        busy = cpu_s - self._seen_cpu_s > _BUSY_SHARE * (now - self._looked) and now > self._looked
        if self.ticks != self._seen_ticks or stack != self._seen_stack or busy:
            self._moved = now
        self._seen_ticks, self._seen_stack, self._seen_cpu_s = self.ticks, stack, cpu_s
        self._looked = now
        return now - self._moved

    def _stack(self) -> tuple[tuple[int, int], ...]:
        frame: FrameType | None = sys._current_frames().get(self._thread.ident or 0)
        found = []
        while frame is not None:
            found.append((id(frame.f_code), frame.f_lasti))
            frame = frame.f_back
        return tuple(found)

    def _cpu_s(self) -> float:
        """Processor seconds of the watched thread; 0 where the system does not tell."""
        ident = self._thread.ident
        if ident is None or not self._thread.is_alive() or sys.platform != "linux":
            return 0.0
        return time.clock_gettime(time.pthread_getcpuclockid(ident))
