"""A second driver of a search starts while the first one runs, or after it was killed."""

import itertools
import re
import time

import pytest
from tests.faults.in_process.conftest import MakeSearch
from tests.faults.in_process.driver_process import Outcome
from tests.faults.injections import Faults

PAUSE_S = 0.1  # per trial, so that the drivers meet
HELD = re.compile(r"DriverError: search '\S+' is run by \S+@\S+ pid \d+ since .* UTC; stop it .*")
FINISHED = re.compile(r"SpecError: search '\S+' has finished \(.*\), so there is nothing .*")


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_two_drivers(
    faults: Faults, make_search: MakeSearch, faultless_s: float, killed: bool
) -> None:
    search = make_search()
    started = time.monotonic()
    first = search.start_driver(pause_s=PAUSE_S)
    time.sleep(faults.random.uniform(0, faultless_s))
    if killed:
        first.kill()
    second = search.start_driver(pause_s=PAUSE_S)
    outcomes = [second.join(), first.join()]
    faults.injected += 1
    search.after_driver()
    search.run_to_end()
    faults.cost(time.monotonic() - started - faultless_s)
    assert one_drove_at_a_time([outcome for outcome in outcomes if outcome is not None])
    assert search.faults() == []


def one_drove_at_a_time(outcomes: list[Outcome]) -> bool:
    """Whether no two drivers trained at once; the loser was refused in one sentence."""
    for outcome in outcomes:
        assert outcome.error is None or HELD.match(outcome.error) or FINISHED.match(outcome.error)
    times = sorted((o.began, o.ended) for o in outcomes if o.began)
    return all(before[1] <= after[0] for before, after in itertools.pairwise(times))
