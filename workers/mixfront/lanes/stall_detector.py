"""Detects from another thread whether a worker's main loop makes progress.

A step counter alone cannot tell a long evaluation from a hang, so the detector also compares the
main thread's stack and CPU time: a thread that waits in a collective, on a lock or in a sleep
keeps the same stack and uses no CPU time. So does one that uploads a file, which is why uploads
count their pieces (`work_counter.py`). A hung wait of NCCL spins, though: CPU time without any
other sign of progress only slows the clock down.
"""

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from mixfront.training.work_counter import WORK, WorkCounter

_BUSY_SHARE = 0.1  # CPU share between two observations from which a thread is busy
_SPINNING = 0.2  # how fast the clock runs for a busy thread: it is hung after five times as long


class StallDetector:
    """Watches one thread.

    Args:
        thread: The thread to watch; the caller's by default.
        clock: Monotonic time in seconds.
        work: Counts the pieces of slow work that the thread has finished.
    """

    def __init__(
        self,
        thread: threading.Thread | None = None,
        clock: Callable[[], float] = time.monotonic,
        work: WorkCounter = WORK,
    ) -> None:
        self._thread = thread or threading.current_thread()
        self._clock = clock
        self._work = work
        self.ticks = 0
        self._last_progress = (-1, -1)
        self._last_stack: tuple[tuple[int, int], ...] = ()
        self._last_cpu_s = 0.0
        self._observed_at = clock()
        self._stalled_s = 0.0

    def tick(self) -> None:
        """Record progress of the main loop: a step or a command."""
        self.ticks += 1

    def observe(self) -> float:
        """Seconds since the main loop last made progress; called by the observing thread.

        Seconds in which the loop was busy, but stayed at one place, count for less.
        """
        now, stack, cpu_s = self._clock(), self._stack(), self._cpu_s()
        elapsed = now - self._observed_at
        is_busy = elapsed > 0 and cpu_s - self._last_cpu_s > _BUSY_SHARE * elapsed
        progress = (self.ticks, self._work.count)
        if progress != self._last_progress or stack != self._last_stack:
            self._stalled_s = 0.0
        else:
            self._stalled_s += _SPINNING * elapsed if is_busy else elapsed
        self._last_progress, self._last_stack, self._last_cpu_s = progress, stack, cpu_s
        self._observed_at = now
        return self._stalled_s

    def _stack(self) -> tuple[tuple[int, int], ...]:
        """(code object, instruction) of each frame."""
        frame: FrameType | None = sys._current_frames().get(self._thread.ident or 0)
        positions = []
        while frame is not None:
            positions.append((id(frame.f_code), frame.f_lasti))
            frame = frame.f_back
        return tuple(positions)

    def _cpu_s(self) -> float:
        """CPU seconds of the watched thread; 0 where the system does not report them."""
        ident = self._thread.ident
        if ident is None or not self._thread.is_alive() or sys.platform != "linux":
            return 0.0
        return time.clock_gettime(time.pthread_getcpuclockid(ident))
