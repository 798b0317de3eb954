"""Waiting for lanes, with a pool whose state the test sets."""

import dataclasses

import pytest

from mixfront.exceptions import LaneError
from mixfront.pool.leases import LaneUse
from mixfront.pool.status import LaneStatus
from mixfront.search.limits.budget import Budget
from mixfront.search.limits.lane_supply import POLL_S, LaneSupply
from mixfront.spec.search_config import SearchConfig


def lane(*, usable: bool = False, error: str | None = None) -> LaneStatus:
    return LaneStatus(
        lane=0,
        use=LaneUse.BROKEN if error else LaneUse.FREE,
        warm=usable,
        trial_id=None,
        generation=0,
        deaths=0,
        last_error=error,
        usable=usable,
    )


class Pool:
    """Shows one of its states after the other, one per wait; the last one stays."""

    def __init__(self, *states: list[LaneStatus], min_lanes: int = 1) -> None:
        self.states = list(states)
        self.now = 0.0
        self.looks = 0
        self.budget = Budget(SearchConfig.model_validate({}), clock=lambda: self.now)
        self.supply = LaneSupply(
            self.status,
            self.budget,
            "s",
            min_lanes=min_lanes,
            sleep=self.sleep,
            clock=lambda: self.now,
        )

    def status(self) -> list[LaneStatus]:
        self.looks += 1
        return self.states[0]

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if len(self.states) > 1:
            self.states.pop(0)


def never() -> None:
    return None


READY, COLD, BROKEN = lane(usable=True), lane(), lane(error="no space left")


def test_a_search_starts_once_its_minimum_of_lanes_is_ready() -> None:
    pool = Pool([], [COLD], [READY, COLD], [READY, READY, COLD], min_lanes=2)
    assert pool.supply.wait_for_start(never) is None
    assert pool.now == 3 * POLL_S
    assert pool.budget.seconds() == 0
    assert pool.supply.capacity() == 2


def test_broken_lanes_are_not_waited_for() -> None:
    pool = Pool([BROKEN, COLD], [BROKEN, READY], min_lanes=2)
    assert pool.supply.wait_for_start(never) is None
    assert pool.now == POLL_S


def test_during_the_search_one_lane_is_enough() -> None:
    pool = Pool([COLD, COLD], [READY, COLD], min_lanes=2)
    assert pool.supply.wait(never) is None


def leased(*, waiting: bool) -> LaneStatus:
    return dataclasses.replace(lane(usable=True), use=LaneUse.LEASED, waiting=waiting)


TRAINING, WAITING = leased(waiting=False), leased(waiting=True)


@pytest.mark.parametrize(
    ("states", "seconds"),
    [
        ([[WAITING, WAITING]] * 4, 0.0),
        ([[WAITING, READY]] * 4, 0.0),  # a free lane trains nothing
        ([[WAITING, TRAINING]] * 4, 3 * POLL_S),
        ([[WAITING], [WAITING], [TRAINING], [TRAINING]], 2 * POLL_S),
        ([[TRAINING], [WAITING], [WAITING], [TRAINING]], 2 * POLL_S),
        ([[READY]] * 4, 3 * POLL_S),
    ],
)
def test_the_clock_stands_still_while_every_trial_waits_for_resources(
    states: list[list[LaneStatus]], seconds: float
) -> None:
    """A new worker group per trial counts as ready: it starts with its trial."""
    pool = Pool(*states)
    pool.supply.capacity()
    for _ in states[1:]:
        pool.sleep(POLL_S)
        pool.supply.capacity()
    assert pool.budget.seconds() == seconds


@pytest.mark.parametrize("reason", ["interrupted by SIGINT", "the time budget is spent"])
def test_a_wait_ends_with_the_search(reason: str) -> None:
    pool = Pool([COLD])
    assert pool.supply.wait_for_start(lambda: reason if pool.now > 60 else None) == reason
    assert pool.supply.failure is None


def test_a_pool_of_broken_lanes_or_no_pool_ends_the_search() -> None:
    pool = Pool([COLD, BROKEN], [BROKEN, BROKEN])
    reason = pool.supply.wait(never)
    assert reason == pool.supply.failure
    assert reason is not None
    assert reason.startswith("no lane can be kept alive (last error: no space left)")

    def gone() -> list[LaneStatus]:
        raise LaneError("the lane pool does not respond")

    pool = Pool([READY])
    supply = LaneSupply(gone, pool.budget, "s")
    assert supply.capacity() == 0
    assert supply.wait(never) == "the lane pool does not respond"


def test_the_pool_is_not_asked_in_every_turn_of_tunes_loop() -> None:
    pool = Pool([READY])
    assert [pool.supply.capacity() for _ in range(100)] == [1] * 100
    assert pool.looks == 1
