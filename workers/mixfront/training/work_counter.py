"""Counts pieces of slow work, so that a watchdog can tell a slow upload from one that hangs.

The thread that uploads a file waits with an unchanged stack and without CPU time, exactly as in a
hang. Only code that knows that a piece is done can tell the two apart.
"""

from typing import final


@final
class WorkCounter:
    """Pieces of work that this process has finished; read from another thread."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> None:
        """Count one more piece."""
        self.count += 1


WORK = WorkCounter()  # of this process
