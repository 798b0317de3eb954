"""Leases of lanes."""

from mixfront.pool.leases import LaneUse, Leases


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_lane_is_leased_then_cleaned_then_leased_again() -> None:
    leases = Leases(1, lease_s=60)
    first = leases.take("a")
    assert first is not None
    assert (first.lane, leases.find("a"), leases.take("b")) == (0, first, None)
    assert leases.drop(first)
    assert not leases.drop(first)
    assert (leases.use_of(0), leases.take("b")) == (LaneUse.CLEANING, None)
    leases.mark_clean(0)
    second = leases.take("b")
    assert second is not None
    assert second.token > first.token


def test_an_unrenewed_lease_expires() -> None:
    clock = Clock()
    leases = Leases(2, lease_s=60, clock=clock)
    renewed, expired = leases.take("a"), leases.take("b")
    assert renewed is not None
    assert expired is not None
    clock.now = 50.0
    assert leases.renew(renewed.token)
    clock.now = 70.0
    assert leases.expired() == [expired]
    leases.drop(expired)
    assert not leases.renew(expired.token)


def test_a_broken_lane_is_never_leased_again() -> None:
    leases = Leases(2, lease_s=60)
    held = leases.take("a")
    assert held is not None
    leases.mark_broken(0, "no GPU")
    assert leases.all_broken() is None
    assert not leases.drop(held)
    leases.mark_clean(0)
    other = leases.take("b")
    assert other is not None
    assert other.lane == 1
    leases.mark_broken(1, "no node")
    assert leases.all_broken() == "no GPU"


def test_lanes_that_are_ready_come_first_and_lanes_may_be_added() -> None:
    leases = Leases(0, lease_s=60)
    assert leases.take("a") is None
    assert leases.all_broken() is None
    leases.add_lane()
    leases.add_lane()
    lease = leases.take("a", lambda lane: lane == 1)
    assert lease is not None
    assert lease.lane == 1
    assert leases.take("b", lambda lane: lane == 1) is None
