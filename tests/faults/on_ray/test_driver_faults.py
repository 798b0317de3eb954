"""A driver that ends, for whatever reason, leaves a search that the next one finishes."""

import signal
import time

import pytest
from tests.cluster.services.ray_cluster import HEAD
from tests.faults.injections import Faults
from tests.faults.on_ray.conftest import MakeSearch
from tests.faults.on_ray.toy_search import TRIALS, Inject, ToySearch, states

from mixfront.records import TrialState

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200), pytest.mark.faults(per_run=4)]

PROMPT_S = 60.0  # within which a driver ends after a signal
HEAD_LOST_S = 180.0  # within which it ends without the cluster's head; Ray waits 60 s for it
BETWEEN_S = 4.0  # at most, between two Ctrl-C


def run(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None, inject: Inject
) -> None:
    """Run a search through all its faults, to the end."""
    search = make_search(faults)
    trials = search.run(inject)
    if undisturbed_s is not None:
        faults.cost(search.seconds - undisturbed_s)
    assert states(trials) == {TrialState.COMPLETE: TRIALS}


def test_driver_killed(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None
) -> None:
    def kill(search: ToySearch) -> None:
        search.driver.process.kill()
        search.driver.process.wait(PROMPT_S)
        search.resume()

    run(make_search, faults, undisturbed_s, kill)


def test_ctrl_c_twice(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None
) -> None:
    def interrupt_twice(search: ToySearch) -> None:
        process = search.driver.process
        process.send_signal(signal.SIGINT)
        time.sleep(faults.random.uniform(0, BETWEEN_S))
        process.send_signal(signal.SIGINT)
        process.wait(PROMPT_S)
        assert "Traceback" not in search.driver.text()
        search.resume()

    run(make_search, faults, undisturbed_s, interrupt_twice)


def test_head_lost(make_search: MakeSearch, faults: Faults, undisturbed_s: float | None) -> None:
    """A new cluster takes over, with the same storage and study."""

    def lose_the_head(search: ToySearch) -> None:
        search.cluster.lose(HEAD)
        search.driver.process.wait(HEAD_LOST_S)
        search.cluster.stop()
        search.cluster.create()
        search.resume()

    run(make_search, faults, undisturbed_s, lose_the_head)
