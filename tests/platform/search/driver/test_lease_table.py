"""Of all drivers that want a lease, one gets it, whatever they do at the same time."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest

from mixfront.search.driver.lease_table import LeaseRow, LeaseTable

CONTENDERS = 8


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/optuna.db"


@pytest.fixture
def table(url: str, clock: Clock) -> LeaseTable:
    table = LeaseTable(url, clock=clock)
    table.create()
    return table


def row_of(table: LeaseTable) -> LeaseRow:
    row = table.read("s")
    assert row is not None
    return row


def test_the_table_is_next_to_optunas(url: str) -> None:
    optuna.create_study(study_name="s", storage=url)
    table = LeaseTable(url)
    assert table.read("s") is None
    table.create()
    table.create()
    assert table.insert("s", "a", "ann@host pid 1") == 1
    assert optuna.load_study(study_name="s", storage=url).trials == []


def test_a_lease_is_taken_renewed_and_released(table: LeaseTable, clock: Clock) -> None:
    assert table.insert("s", "a", "ann@host pid 1") == 1
    assert table.insert("s", "b", "bob@host pid 2") is None
    clock.now += 7
    row = row_of(table)
    assert (row.epoch, row.owner, row.holder) == (1, "a", "ann@host pid 1")
    assert (row.since, row.heartbeat, row.age) == (1000.0, 1000.0, 7.0)
    assert table.renew("s", 1, "a")
    assert row_of(table).age == 0
    assert not table.renew("s", 1, "b")
    assert not table.renew("s", 2, "a")
    assert table.release("s", 1, "a")
    assert row_of(table).is_released
    assert not table.renew("s", 1, "a")


def test_a_lease_is_taken_over_once(table: LeaseTable, clock: Clock) -> None:
    table.insert("s", "a", "ann@host pid 1")
    clock.now += 89
    before = row_of(table)
    assert table.take_over("s", before, "b", "bob@host pid 2") == 2
    assert not table.renew("s", 1, "a")
    assert table.take_over("s", before, "c", "cy@host pid 3") is None
    assert (row_of(table).owner, row_of(table).since) == ("b", 1089.0)


def test_a_renewal_defeats_a_take_over_that_has_read_the_old_heartbeat(
    table: LeaseTable, clock: Clock
) -> None:
    table.insert("s", "a", "ann@host pid 1")
    clock.now += 100
    before = row_of(table)
    assert table.renew("s", 1, "a")
    assert table.take_over("s", before, "b", "bob@host pid 2") is None


@pytest.mark.parametrize("attempt", range(5))
def test_one_of_many_threads_gets_a_lease(tmp_path: Path, attempt: int) -> None:
    url = f"sqlite:///{tmp_path}/{attempt}.db"
    barrier = threading.Barrier(CONTENDERS)

    def contend(number: int) -> list[int | None]:
        table = LeaseTable(url)
        barrier.wait(10)
        table.create()
        first = table.insert("s", f"owner-{number}", "")
        barrier.wait(10)
        row = row_of(table)
        barrier.wait(10)
        return [first, table.take_over("s", row, f"owner-{number}", "")]

    with ThreadPoolExecutor(CONTENDERS) as pool:
        results = list(pool.map(contend, range(CONTENDERS)))
    assert sorted(str(first) for first, _ in results) == ["1"] + ["None"] * (CONTENDERS - 1)
    assert sorted(str(second) for _, second in results) == ["2"] + ["None"] * (CONTENDERS - 1)


def test_one_of_several_processes_gets_each_epoch(url: str) -> None:
    """Each process takes the lease over as often as it can; no epoch has two owners."""
    code = (
        "import sys\n"
        "from mixfront.search.driver.lease_table import LeaseTable\n"
        "table, me = LeaseTable(sys.argv[1]), sys.argv[2]\n"
        "table.create()\n"
        "epochs = [table.insert('s', me, '')]\n"
        "for _ in range(40):\n"
        "    epochs.append(table.take_over('s', table.read('s'), me, ''))\n"
        "print(*(epoch for epoch in epochs if epoch))\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, url, name], stdout=subprocess.PIPE, text=True
        )
        for name in "abc"
    ]
    outputs = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    epochs = [int(word) for output in outputs for word in output.split()]
    assert sorted(epochs) == list(range(1, len(epochs) + 1))
    assert row_of(LeaseTable(url)).epoch == len(epochs)
