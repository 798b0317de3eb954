"""Decides whether a driver may still write: only while it holds its search's lease."""

from collections.abc import Callable
from dataclasses import dataclass


def _never_closed() -> str | None:
    return None


@dataclass(frozen=True)
class Fence:
    """The right of one driver to write a search's records and updates.

    Args:
        epoch: Number of the driver, which increases by one with every new driver of a search; 0
            for a program that holds no lease.
        closed_because: Why the driver must not write at this moment, in one sentence, or None;
            asked before every write.
    """

    epoch: int = 0
    closed_because: Callable[[], str | None] = _never_closed

    @property
    def is_open(self) -> bool:
        """Whether the driver may write at this moment."""
        return self.closed_because() is None
