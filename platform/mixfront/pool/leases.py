"""Who holds which lane: bookkeeping only, no Ray and no waiting."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class LaneUse(StrEnum):
    """What a lane is used for right now."""

    FREE = "free"
    LEASED = "leased"
    CLEANING = "cleaning"  # what the last trial left is torn down; free in a moment
    BROKEN = "broken"


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A trial's hold on a lane. Tokens rise, so that a mailbox can tell the latest holder."""

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
    """Leases of a fixed number of lanes.

    Args:
        num_lanes: How many there are.
        lease_s: How long a lease lasts without being renewed.
        clock: Monotonic seconds.
    """

    def __init__(
        self, num_lanes: int, lease_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lanes = [_Lane() for _ in range(num_lanes)]
        self._lease_s = lease_s
        self._clock = clock
        self._tokens = itertools.count(1)

    def new_token(self) -> int:
        """A token above all that were given out."""
        return next(self._tokens)

    def take(self, trial_id: str) -> Lease | None:
        """Lease a free lane; None if there is none."""
        for number, lane in enumerate(self._lanes):
            if lane.use is LaneUse.FREE:
                lane.use = LaneUse.LEASED
                lane.lease = Lease(lane=number, token=self.new_token(), trial_id=trial_id)
                lane.expires = self._clock() + self._lease_s
                return lane.lease
        return None

    def find(self, trial_id: str) -> Lease | None:
        """The lease that a trial holds."""
        held = (lane.lease for lane in self._lanes)
        return next((lease for lease in held if lease and lease.trial_id == trial_id), None)

    def renew(self, token: int) -> bool:
        """Prolong a lease; False if it is over."""
        for lane in self._lanes:
            if lane.lease is not None and lane.lease.token == token:
                lane.expires = self._clock() + self._lease_s
                return True
        return False

    def drop(self, lease: Lease) -> bool:
        """End a lease; its lane is to be cleaned. False if it was over already."""
        lane = self._lanes[lease.lane]
        if lane.lease is None or lane.lease.token != lease.token:
            return False
        lane.lease = None
        if lane.use is LaneUse.LEASED:
            lane.use = LaneUse.CLEANING
        return True

    def expired(self) -> list[Lease]:
        """Leases that nobody renewed in time."""
        now = self._clock()
        return [lane.lease for lane in self._lanes if lane.lease and lane.expires < now]

    def cleaned(self, number: int) -> None:
        """A lane is ready for the next trial."""
        if self._lanes[number].use is LaneUse.CLEANING:
            self._lanes[number].use = LaneUse.FREE

    def break_lane(self, number: int, error: str) -> None:
        """A lane can never be leased again."""
        lane = self._lanes[number]
        lane.use, lane.error, lane.lease = LaneUse.BROKEN, error, None

    def use_of(self, number: int) -> LaneUse:
        """What a lane is used for."""
        return self._lanes[number].use

    def lease_of(self, number: int) -> Lease | None:
        """Who holds a lane."""
        return self._lanes[number].lease

    def all_broken(self) -> str | None:
        """Why no lane will ever be free, if that is so."""
        if all(lane.use is LaneUse.BROKEN for lane in self._lanes):
            return self._lanes[0].error
        return None
