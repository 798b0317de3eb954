"""Keeps track of which trial holds which lane; makes no Ray calls and never waits."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class LaneUse(StrEnum):
    """The current use of a lane."""

    FREE = "free"
    LEASED = "leased"
    CLEANING = "cleaning"  # tearing down what the last trial left; free in a moment
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A trial's hold on a lane. Tokens increase, so that a mailbox recognizes the latest one."""

    lane: int
    token: int
    trial_id: str


@dataclass
class _Lane:
    use: LaneUse = LaneUse.FREE
    lease: Lease | None = None
    expires: float = 0.0
    error: str | None = None


class Leases:
    """The leases of the lanes, whose number may grow.

    Args:
        num_lanes: Number of lanes at first.
        lease_s: Seconds until a lease expires unless renewed.
        clock: Monotonic seconds.
    """

    def __init__(
        self, num_lanes: int, lease_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lanes = [_Lane() for _ in range(num_lanes)]
        self._lease_s = lease_s
        self._clock = clock
        self._tokens = itertools.count(1)

    def add_lane(self) -> None:
        """Add a lane, which is free."""
        self._lanes.append(_Lane())

    def new_token(self) -> int:
        """A token greater than every earlier one."""
        return next(self._tokens)

    def take(
        self, trial_id: str, can_start: Callable[[int], bool] = lambda _: True
    ) -> Lease | None:
        """Lease a free lane that can start a trial now; None if there is none."""
        for number, lane in enumerate(self._lanes):
            if lane.use is LaneUse.FREE and can_start(number):
                lane.use = LaneUse.LEASED
                lane.lease = Lease(lane=number, token=self.new_token(), trial_id=trial_id)
                lane.expires = self._clock() + self._lease_s
                return lane.lease
        return None

    def find(self, trial_id: str) -> Lease | None:
        """The lease that a trial holds, if any."""
        leases = (lane.lease for lane in self._lanes)
        return next((lease for lease in leases if lease and lease.trial_id == trial_id), None)

    def renew(self, token: int) -> bool:
        """Extend a lease; False if it has ended."""
        for lane in self._lanes:
            if lane.lease is not None and lane.lease.token == token:
                lane.expires = self._clock() + self._lease_s
                return True
        return False

    def drop(self, lease: Lease) -> bool:
        """End a lease; its lane must then be cleaned. False if it had already ended."""
        lane = self._lanes[lease.lane]
        if lane.lease is None or lane.lease.token != lease.token:
            return False
        lane.lease = None
        if lane.use is LaneUse.LEASED:
            lane.use = LaneUse.CLEANING
        return True

    def expired(self) -> list[Lease]:
        """Leases that were not renewed in time."""
        now = self._clock()
        return [lane.lease for lane in self._lanes if lane.lease and lane.expires < now]

    def mark_clean(self, number: int) -> None:
        """Make a cleaned lane available to the next trial."""
        if self._lanes[number].use is LaneUse.CLEANING:
            self._lanes[number].use = LaneUse.FREE

    def mark_broken(self, number: int, error: str) -> None:
        """Mark a lane as broken; it is never leased again."""
        lane = self._lanes[number]
        lane.use, lane.error, lane.lease = LaneUse.BROKEN, error, None

    def use_of(self, number: int) -> LaneUse:
        """The current use of a lane."""
        return self._lanes[number].use

    def lease_of(self, number: int) -> Lease | None:
        """The current lease of a lane, if any."""
        return self._lanes[number].lease

    def error_of(self, number: int) -> str | None:
        """Why a lane is broken, else None."""
        return self._lanes[number].error

    def all_broken(self) -> str | None:
        """The first lane's error if every lane is broken, else None."""
        if self._lanes and all(lane.use is LaneUse.BROKEN for lane in self._lanes):
            return self._lanes[0].error
        return None
