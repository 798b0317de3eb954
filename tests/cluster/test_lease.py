"""The lease of a search on PostgreSQL: contention, the database's clock, and a restart."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from tests.cluster.services.postgres import Postgres

from mixfront.exceptions import DriverError
from mixfront.search.driver.lease import DriverLease
from mixfront.search.driver.lease_table import LeaseTable

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

DRIVERS = 4


@pytest.fixture
def table(postgres: Postgres) -> LeaseTable:
    table = LeaseTable(postgres.url("studies"), clock=_wrong_clock)
    table.create()
    return table


def _wrong_clock() -> float:
    raise AssertionError("the database's clock decides")


def test_drivers_may_create_the_table_at_the_same_time(postgres: Postgres) -> None:
    barrier = Barrier(DRIVERS)

    def create(_driver: int) -> None:
        table = LeaseTable(postgres.url("mlflow_users"))
        barrier.wait()
        table.create()

    with ThreadPoolExecutor(DRIVERS) as threads:
        list(threads.map(create, range(DRIVERS)))


def test_one_of_several_first_drivers_gets_the_lease(table: LeaseTable) -> None:
    barrier = Barrier(DRIVERS)

    def insert(driver: int) -> int | None:
        barrier.wait()
        return table.insert("first", f"owner-{driver}", "ann@gpu-3 pid 1")

    with ThreadPoolExecutor(DRIVERS) as threads:
        epochs = list(threads.map(insert, range(DRIVERS)))
    assert sorted(epochs, key=str) == [1, *[None] * (DRIVERS - 1)]


def test_one_of_several_successors_gets_the_lease(table: LeaseTable) -> None:
    table.insert("successors", "gone", "ann@gpu-3 pid 1")
    row = table.read("successors")
    assert row is not None
    assert 0 <= row.age < 60
    barrier = Barrier(DRIVERS)

    def take(driver: int) -> int | None:
        barrier.wait()
        owner = f"owner-{driver}"
        return table.take_over("successors", row, owner, "ann@gpu-4 pid 2")

    with ThreadPoolExecutor(DRIVERS) as threads:
        epochs = list(threads.map(take, range(DRIVERS)))
    assert sorted(epochs, key=str) == [2, *[None] * (DRIVERS - 1)]
    assert not table.renew("successors", 1, "gone")


def test_a_renewed_lease_is_not_taken_over(table: LeaseTable) -> None:
    table.insert("fresh", "alive", "ann@gpu-3 pid 1")
    row = table.read("fresh")
    assert row is not None
    assert table.renew("fresh", 1, "alive")
    assert table.take_over("fresh", row, "me", "ann@gpu-4 pid 2") is None


def test_a_second_driver_is_told_who_runs_the_search(table: LeaseTable) -> None:
    with DriverLease(table, "held", "clicks"):
        message = r"^search 'clicks' is run by \S+@\S+ pid \d+ since 20.* UTC; stop it with"
        with pytest.raises(DriverError, match=message):
            DriverLease(table, "held", "clicks").take()
    with DriverLease(table, "held", "clicks") as successor:
        assert successor.epoch == 2


def test_a_lease_survives_a_restart_of_the_database(table: LeaseTable, postgres: Postgres) -> None:
    with DriverLease(table, "restart", "clicks") as lease:
        postgres.stop()
        lease.renew()
        assert lease.fence.is_open  # an outage shorter than half the time to live
        postgres.start_again()
        lease.renew()
        assert lease.lost_because() is None
        with pytest.raises(DriverError, match="is run by"):
            DriverLease(table, "restart", "clicks").take()
