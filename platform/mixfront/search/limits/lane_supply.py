"""How many trials the lanes can take, and waiting while they can take none."""

import time
from collections.abc import Callable, Sequence

from mixfront.exceptions import LaneError
from mixfront.pool.leases import LaneUse
from mixfront.pool.status import LaneStatus
from mixfront.search.limits.budget import Budget

POLL_S = 0.5  # also how old the count may be, since Tune asks for it in every turn of its loop


class LaneSupply:
    """The lanes as the searcher sees them.

    The search's clock stands still while every trial that has a lane waits for the lane's
    resources, as may happen with a new worker group for every trial.

    Args:
        status: Returns the status of every lane; raises LaneError if the pool is gone.
        budget: Its clock stops during a wait.
        search: Name of the search, for messages.
        min_lanes: Lanes that must be ready before the search starts.
        sleep: Waits for a number of seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        status: Callable[[], Sequence[LaneStatus]],
        budget: Budget,
        search: str,
        *,
        min_lanes: int = 1,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failure: str | None = None  # why there will be no lane again, in one sentence
        self._status = status
        self._budget = budget
        self._search = search
        self._min_lanes = min_lanes
        self._sleep = sleep
        self._clock = clock
        self._lanes: Sequence[LaneStatus] = ()
        self._next_look = self._last_look = clock()
        self._is_stalled = False

    def capacity(self) -> int:
        """Number of lanes that train a trial or could start one now."""
        self._look()
        return sum(lane.usable for lane in self._lanes)

    def wait_for_start(self, ended: Callable[[], str | None]) -> str | None:
        """Wait like `wait`, until `min_lanes` lanes are ready; broken ones do not count."""
        return self._wait(ended, self._min_lanes)

    def wait(self, ended: Callable[[], str | None]) -> str | None:
        """Wait until a lane is ready, while the search's clock is stopped.

        Args:
            ended: Returns why the search ends, else None.

        Returns:
            Why the search ends, as one sentence; None if a lane became ready.
        """
        return self._wait(ended, 1)

    def _wait(self, ended: Callable[[], str | None], needed: int) -> str | None:
        if self._is_ready(needed):
            return None
        with self._budget.paused():
            while (reason := ended() or self.failure) is None:
                if self._is_ready(needed):
                    return None
                self._sleep(POLL_S)
        return reason

    def _is_ready(self, needed: int) -> bool:
        ready = self.capacity()
        broken = sum(lane.use is LaneUse.BROKEN for lane in self._lanes)
        return ready >= max(1, needed - broken)

    def _look(self) -> None:
        if self.failure is not None or self._clock() < self._next_look:
            return
        try:
            self._lanes = self._status()
        except LaneError as error:
            self._lanes, self.failure = (), str(error)
        self._exclude_stall()
        self._next_look = self._last_look + POLL_S
        broken = [lane for lane in self._lanes if lane.use is LaneUse.BROKEN]
        if broken and len(broken) == len(self._lanes):
            self.failure = (
                f"no lane can be kept alive (last error: {broken[-1].last_error}); fix the cause, "
                f"then run `mixfront search resume {self._search}`"
            )

    def _exclude_stall(self) -> None:
        """Take the time since the last look off the clock if every trial waited, then and now."""
        now, was_stalled = self._clock(), self._is_stalled
        leased = [lane for lane in self._lanes if lane.use is LaneUse.LEASED]
        self._is_stalled = bool(leased) and all(lane.waiting for lane in leased)
        if was_stalled and self._is_stalled:
            self._budget.exclude(now - self._last_look)
        self._last_look = now
