"""A driver that is killed between any two writes, or in the middle of one."""

import time

import pytest
from tests.faults.in_process.conftest import MakeSearch
from tests.faults.in_process.driver_process import Death
from tests.faults.in_process.searches import FaultySearch
from tests.faults.injections import Faults


@pytest.fixture(scope="session")
def faultless(make_shared_search: MakeSearch) -> tuple[int, float]:
    """How many writes a search takes, and how many seconds."""
    make_shared_search("imports").start_driver().join()  # starts the server of processes
    search = make_shared_search("writes")
    started = time.monotonic()
    outcome = search.start_driver().join()
    assert outcome is not None
    assert outcome.error is None
    return outcome.writes, time.monotonic() - started


def test_driver_killed_between_two_writes(
    faults: Faults, make_search: MakeSearch, faultless: tuple[int, float]
) -> None:
    writes, faultless_s = faultless
    search = make_search()
    started = time.monotonic()
    death = Death(faults.random.randrange(1, writes), torn=faults.random.random() < 0.3)
    faults.injected += is_killed(search, death)
    while not search.is_over:
        assert not is_killed(search)
    faults.cost(time.monotonic() - started - faultless_s)
    assert search.faults() == []


def is_killed(search: FaultySearch, death: Death | None = None) -> bool:
    """Whether a driver was killed before it ended; it must not end with an error."""
    outcome = search.start_driver(death).join()
    search.after_driver()
    assert outcome is None or outcome.error is None, outcome
    return outcome is None
