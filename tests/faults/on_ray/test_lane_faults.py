"""What goes wrong on a lane costs a restart from a checkpoint, and never the search."""

import pytest
from tests.faults.injections import Faults
from tests.faults.on_ray.conftest import MakeSearch
from tests.faults.on_ray.faulty_session import FaultKind
from tests.faults.on_ray.toy_search import TRIALS, Inject, states

from mixfront.records import TrialRecord, TrialState

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900), pytest.mark.faults(per_run=4)]

ALL_COMPLETE = {TrialState.COMPLETE: TRIALS}


def run(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None, inject: Inject
) -> list[TrialRecord]:
    """Run a search with faults, and note what they cost."""
    search = make_search(faults)
    trials = search.run(inject)
    if undisturbed_s is not None:
        faults.cost(search.seconds - undisturbed_s)
    return trials


def request(kind: FaultKind) -> Inject:
    """Have a rank carry out a fault."""
    return lambda search: search.request(kind)


def test_worker_killed(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None
) -> None:
    trials = run(make_search, faults, undisturbed_s, lambda s: s.kill("RayTrainWorker"))
    assert states(trials) == ALL_COMPLETE


def test_controller_killed(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None
) -> None:
    trials = run(make_search, faults, undisturbed_s, lambda s: s.kill("TrainController"))
    assert states(trials) == ALL_COMPLETE


def test_memory_capped_on_one_rank(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None
) -> None:
    trials = run(make_search, faults, undisturbed_s, request("memory"))
    assert states(trials) == ALL_COMPLETE


def test_hang_in_a_collective(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None
) -> None:
    trials = run(make_search, faults, undisturbed_s, request("hang in a collective"))
    assert states(trials) == ALL_COMPLETE


def test_hang_in_python(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None
) -> None:
    trials = run(make_search, faults, undisturbed_s, request("hang in Python"))
    assert states(trials) == ALL_COMPLETE


def test_spin_in_python(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None
) -> None:
    trials = run(make_search, faults, undisturbed_s, request("spin in Python"))
    assert states(trials) == ALL_COMPLETE


def test_nan_on_one_rank(
    make_search: MakeSearch, faults: Faults, undisturbed_s: float | None
) -> None:
    """The trial fails, as it would again, and its lane runs the next one."""
    trials = run(make_search, faults, undisturbed_s, request("nan"))
    failed = [trial for trial in trials if trial.state is TrialState.FAILED]
    assert 1 <= len(failed) <= faults.count  # a request may be taken at the end of a search
    assert {trial.error for trial in failed} == {"the loss is nan"}
    assert states(trials)[TrialState.COMPLETE] == TRIALS - len(failed)
    assert {trial.attempts for trial in trials} == {0}
