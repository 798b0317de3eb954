"""The progress display of a running search."""

import io
import time
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from mixfront.pareto.front import Front, front_of
from mixfront.pool.leases import LaneUse
from mixfront.pool.status import LaneStatus
from mixfront.records import SearchRecord, TrialRecord, TrialState
from mixfront.search.limits.budget import Budget
from mixfront.search.monitoring import progress as progress_module
from mixfront.search.monitoring.progress import ProgressDisplay
from mixfront.spec.objectives import Objective
from mixfront.spec.search_config import SearchConfig

SEARCH = SearchRecord(
    search_id="s-1",
    name="s",
    spec={},
    objectives=[
        Objective(metric="auc", direction="max"),
        Objective(metric="flops", direction="min"),
    ],
    reference_point=[0.5, 10.0],
    optuna_storage="sqlite://",
    tracking_uri="sqlite://",
    experiment="e",
)


def trial(number: int, state: TrialState, auc: float = 0.7, flops: float = 1e9) -> TrialRecord:
    values = {"auc": auc, "flops": flops}
    return TrialRecord(
        trial_id=str(number), family="unimixer", config={}, state=state, values=values
    )


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=160)


def budget(**limits: Any) -> Budget:
    return Budget(SearchConfig.model_validate(limits))


def lane(*, warm: bool) -> LaneStatus:
    return LaneStatus(
        lane=0,
        use=LaneUse.FREE,
        warm=warm,
        trial_id=None,
        generation=0,
        deaths=0,
        last_error=None,
    )


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_shows_states_best_values_hypervolume_and_time(console: Console) -> None:
    earlier = [trial(0, TrialState.COMPLETE, 0.71, 1e8), trial(1, TrialState.FAILED)]
    limits = budget(trials=12, time="1h")
    progress = ProgressDisplay(SEARCH, earlier, limits, console, clock=lambda: 0.0)
    progress.on_start(trial(2, TrialState.RUNNING))
    progress.on_end(trial(3, TrialState.COMPLETE, 0.74, 1e9))
    console.print(progress.table())
    output = text_of(console)
    assert "2 complete" in output
    assert "1 running" in output
    assert "1 failed" in output
    assert "12 planned" in output
    assert "AUC 0.74000 (trial 3, unimixer)" in output
    assert "Training FLOPs 100M (trial 0, unimixer)" in output
    assert "0.45" in output  # 0.21 * 2 + 0.03 * 1 of the two points
    assert "left" in output


def test_the_hypervolume_is_computed_only_after_a_trial_has_completed(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, computed = 0.0, []

    def slow_front_of(trials: list[TrialRecord], *arguments: Any) -> Front:
        nonlocal now
        now += 0.3
        computed.append(len(trials))
        return front_of(trials, *arguments)

    monkeypatch.setattr(progress_module, "front_of", slow_front_of)
    progress = ProgressDisplay(SEARCH, [], budget(), console, clock=lambda: now)
    progress.table()
    progress.on_end(trial(0, TrialState.FAILED))
    now += 100
    progress.table()
    assert computed == [0]
    for number in (1, 2, 3):
        progress.on_end(trial(number, TrialState.COMPLETE))
        progress.table()  # the second and third too soon: 0.3 s are 5 % of 6 s
    assert computed == [0, 2]
    now += 6
    console.print(progress.table())
    assert computed == [0, 2, 4]
    assert "0.2" in text_of(console)  # (0.7 - 0.5) * (10 - 9)


def test_without_a_terminal_every_ended_trial_prints_one_line(console: Console) -> None:
    with ProgressDisplay(SEARCH, [], budget(), console) as progress:
        progress.on_start(trial(0, TrialState.RUNNING))
        progress.on_result(trial(0, TrialState.RUNNING))
        assert text_of(console) == ""
        progress.on_end(trial(0, TrialState.COMPLETE))
        failed = trial(1, TrialState.FAILED)
        failed.error = "the loss is not finite"
        progress.on_end(failed)
    lines = text_of(console).splitlines()
    assert len(lines) == 2
    assert "complete" in lines[0]
    assert "AUC 0.70000, Training FLOPs 1G" in lines[0]
    assert lines[1].endswith("the loss is not finite")


def test_without_a_terminal_a_status_line_explains_a_wait(console: Console) -> None:
    lanes = [lane(warm=False), lane(warm=True)]
    with ProgressDisplay(SEARCH, [], budget(trials=3), console, every_s=0.02) as progress:
        progress.watch_lanes(lambda: lanes)
        deadline = time.monotonic() + 10
        while "lanes still starting: 1 of 2" not in text_of(console):
            assert time.monotonic() < deadline, text_of(console)
            time.sleep(0.01)
        lanes[:] = [lane(warm=True)]
        progress.on_start(trial(0, TrialState.RUNNING))
        while "1 running, 3 planned" not in text_of(console):
            assert time.monotonic() < deadline, text_of(console)
            time.sleep(0.01)
    assert "lanes" not in text_of(console).splitlines()[-1]


def test_lanes_that_wait_for_resources_say_what_they_need(console: Console) -> None:
    progress = ProgressDisplay(SEARCH, [], budget(), console)
    waiting = replace(lane(warm=False), waiting=True, needs="2 x (1 CPU)")
    broken = replace(lane(warm=False), use=LaneUse.BROKEN, last_error="no space left")
    progress.watch_lanes(lambda: [waiting, lane(warm=False), broken])
    console.print(progress.table())
    output = text_of(console)
    assert "lanes waiting for 2 x (1 CPU) each: 1 of 3" in output
    assert "lanes still starting: 1 of 3" in output
    assert "lanes broken: 1 of 3 (no space left)" in output


def test_an_error_with_brackets_is_printed_as_it_is(console: Console) -> None:
    """As Gloo's, which are paths; rich would take them for markup and raise."""
    error = "[/pytorch/third_party/gloo/unbound_buffer.cc:78] Timed out waiting 6000ms"
    failed = trial(0, TrialState.FAILED).model_copy(update={"error": error})
    with ProgressDisplay(SEARCH, [], budget(trials=2), console) as progress:
        progress.on_end(failed)
    assert error in console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
