"""Two drivers never write at the same time, whatever stops, hangs or comes back."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from sqlalchemy.exc import OperationalError

from mixfront.exceptions import DriverError
from mixfront.search.driver.lease import DriverLease, LeaseTimes
from mixfront.search.driver.lease_table import LeaseTable

TIMES = LeaseTimes()


class World:
    """One database and one clock, for the drivers of one search."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.ahead = 0.0  # of the clock that people set
        self.url = f"sqlite:///{folder}/optuna.db"

    def lease(self) -> DriverLease:
        """The lease of a new driver, which waits by moving the clock."""
        table = LeaseTable(self.url, clock=lambda: self.now + self.ahead)
        return DriverLease(table, "s-1", "s", clock=self.clock, wait=self.wait)

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def taken(world: World) -> DriverLease:
    lease = world.lease()
    lease.take()
    return lease


def cut_off(lease: DriverLease, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise OperationalError("UPDATE", {}, Exception("the database is gone"))

    monkeypatch.setattr(lease._table, "renew", refuse)


def test_the_loser_learns_who_since_when_and_what_to_do(world: World, taken: DriverLease) -> None:
    world.now += 10
    with pytest.raises(DriverError) as caught:
        world.lease().take()
    message = str(caught.value)
    assert f"search 's' is run by {taken._process.holder} since 1970-01-01 00:16 UTC" in message
    assert "stop it with `mixfront search stop s`" in message
    assert message.endswith("resume the search in 80 s")


def test_a_released_lease_is_taken_at_once(world: World) -> None:
    with world.lease() as first:
        assert first.epoch == 1
    assert not first.fence.is_open
    with world.lease() as second:
        assert second.epoch == 2
    assert world.now == 1000.0


def test_a_take_over_waits_until_the_last_write_has_ended(
    world: World, taken: DriverLease
) -> None:
    world.now += TIMES.to_live
    second = world.lease()
    second.take()
    assert world.now == 1000.0 + TIMES.to_live + TIMES.longest_write
    assert (taken.epoch, second.epoch) == (1, 2)


def test_a_killed_process_of_this_machine_is_replaced_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixfront.search.driver.lease.has_ended", lambda owner: bool(owner))
    world.lease().take()
    second = world.lease()
    second.take()
    assert (second.epoch, world.now) == (2, 1000.0)


def test_a_driver_that_cannot_renew_stops_writing_for_good(
    world: World, taken: DriverLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        cut_off(taken, patch)
        world.now += TIMES.stop_after - 1
        taken.renew()
        assert taken.fence.is_open
        world.now += 1
        assert not taken.fence.is_open
    taken.renew()
    assert not taken.fence.is_open
    reason = taken.lost_because()
    assert reason is not None
    assert "could not be renewed for 15 s (OperationalError)" in reason


def test_a_short_outage_of_the_database_does_no_harm(
    world: World, taken: DriverLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        cut_off(taken, patch)
        world.now += 10
        taken.renew()
    taken.renew()
    world.now += TIMES.stop_after - 1
    assert taken.fence.is_open


def test_a_failed_renewal_is_repeated_soon(
    taken: DriverLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two restarts of the database within 15 s must not cost the driver its search."""
    cut_off(taken, monkeypatch)
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 3

    monkeypatch.setattr(taken._ended, "wait", wait)
    taken._run()
    assert waits == [TIMES.renew_every, TIMES.retry_every, TIMES.retry_every]


def test_a_driver_that_was_replaced_stops_at_its_next_renewal(
    world: World, taken: DriverLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a suspension that the driver's clock did not count."""
    world.now += 100
    world.lease().take()
    monkeypatch.setattr(taken, "_clock", lambda: 1001.0)
    assert taken.fence.is_open
    taken.renew()
    assert taken.lost_because() == "another driver has taken over this search"


def test_a_driver_that_lost_its_lease_does_not_release_it(world: World) -> None:
    with world.lease():
        world.now += 100
        second = world.lease()
        second.take()
    second.renew()
    assert second.fence.is_open


def test_the_thread_renews(world: World) -> None:
    lease = DriverLease(
        LeaseTable(world.url, clock=world.clock),
        "s-1",
        "s",
        times=LeaseTimes(renew_every=0.01),
        clock=world.clock,
    )
    with lease:
        world.now += 10
        while lease._renewed < world.now:
            lease._ended.wait(0.01)
        world.now += 10
        assert lease.fence.is_open


@pytest.mark.parametrize("how", ["released", "ended"])
def test_a_clock_that_is_set_back_delays_no_successor(
    world: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    lease = world.lease()
    lease.take()
    if how == "released":
        lease.__exit__()
    else:
        monkeypatch.setattr("mixfront.search.driver.lease.has_ended", lambda _owner: True)
    world.ahead -= 3600
    world.lease().take()
    assert world.now == 1000.0


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_driver_keeps_its_search_when_the_clock_is_set(
    world: World, taken: DriverLease, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    world.ahead += 3600 * hours
    second = world.lease()

    def wait(seconds: float) -> None:
        world.wait(seconds)
        taken.renew()

    monkeypatch.setattr(second, "_wait", wait)
    with pytest.raises(DriverError, match="is run by"):
        second.take()
    taken.renew()
    assert taken.lost_because() is None


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_driver_that_is_gone_is_replaced_although_the_clock_was_set(
    world: World, taken: DriverLease, hours: int
) -> None:
    assert taken.epoch == 1
    world.ahead += 3600 * hours
    second = world.lease()
    second.take()
    assert second.epoch == 2
    assert world.now <= 1000.0 + TIMES.take_over_after


class Drivers(RuleBasedStateMachine):
    """Drivers start, write, renew, lose the database, die and end, in any order."""

    drivers = Bundle("drivers")

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self._world = World(Path(self._folder.name))
        self._epoch = 0  # the newest
        self._writes: dict[int, float] = {}  # epoch -> when its last write arrives
        self._leases: list[DriverLease] = []

    def teardown(self) -> None:
        self._folder.cleanup()

    @rule(target=drivers)
    def start(self) -> DriverLease | None:
        lease = self._world.lease()
        try:
            lease.take()
        except DriverError:
            return None
        assert lease.epoch == self._epoch + 1
        assert max(self._writes.values(), default=0.0) <= self._world.now
        self._epoch = lease.epoch
        self._leases.append(lease)
        return lease

    @rule(seconds=st.floats(0.1, 40.0))
    def pass_time(self, seconds: float) -> None:
        self._world.now += seconds

    @rule(driver=drivers)
    def renew(self, driver: DriverLease | None) -> None:
        if driver is not None:
            driver.renew()

    @rule(driver=drivers)
    def write(self, driver: DriverLease | None) -> None:
        if driver is not None and driver.fence.is_open:
            assert driver.epoch == self._epoch
            self._writes[driver.epoch] = self._world.now + TIMES.longest_write

    @rule(driver=drivers)
    def end(self, driver: DriverLease | None) -> None:
        """A driver ends after its last write has arrived."""
        if driver is not None and self._writes.get(driver.epoch, 0.0) <= self._world.now:
            driver.__exit__()

    @invariant()
    def one_may_write(self) -> None:
        may_write = [lease.epoch for lease in self._leases if lease.fence.is_open]
        assert [epoch for epoch in may_write if epoch != self._epoch] == []


Drivers.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
test_any_order_of_events: Callable[..., object] = Drivers.TestCase
