"""The machine's clock jumps by minutes to hours, in both directions, while a search runs."""

import itertools
import time

import pytest
from tests.faults.in_process.conftest import MakeSearch
from tests.faults.in_process.searches import TRIALS
from tests.faults.injections import Faults

from mixfront.search.driver.lease_table import LeaseTable

LONGEST_S = 6 * 3600
STEPS = 4  # per search


class SteppedClock:
    """The clock that people set; `time.monotonic` is untouched."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._real = time.time

    def __call__(self) -> float:
        return self._real() + self.ahead_s


@pytest.mark.faults(per_run=STEPS)
def test_clock_stepped(
    faults: Faults, make_search: MakeSearch, faultless_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SteppedClock()
    monkeypatch.setattr(time, "time", clock)
    monkeypatch.setattr(LeaseTable.__init__, "__kwdefaults__", {"clock": clock})
    # Simulated seconds; without the drivers that fail, 12 trials of 60 s on 3 lanes take 240 s.
    search = make_search(overrides=("search.time=600",))
    moments = set(faults.random.sample(range(TRIALS), faults.count))

    def on_train(_trial: str) -> None:
        if next(starts) in moments:
            clock.ahead_s += faults.random.choice((-1, 1)) * faults.random.uniform(60, LONGEST_S)
            faults.injected += 1
            if faults.random.random() < 0.3:  # so that another one takes the lease
                raise RuntimeError("the driver fails")

    starts, started = itertools.count(), time.monotonic()
    while not search.is_over:
        search.run_driver(search.pool(on_train))
    faults.cost(time.monotonic() - started - faultless_s)
    assert {str(error) for error in search.errors} <= {"the driver fails"}
    assert search.record.ended_because == "the trial budget is spent: 12 of 12 trials"
    assert search.faults() == []
