"""What a person reads while a search runs."""

import io
import time

import pytest
from rich.console import Console

from mixfront.records import SearchRecord, TrialRecord, TrialState
from mixfront.search.progress import ProgressDisplay
from mixfront.spec.objectives import Objective

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


def text_of(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_table_has_states_bests_hypervolume_and_time(console: Console) -> None:
    earlier = [trial(0, TrialState.COMPLETE, 0.71, 1e8), trial(1, TrialState.FAILED)]
    progress = ProgressDisplay(SEARCH, earlier, 12, time.time() + 3600, console)
    progress.on_start(trial(2, TrialState.RUNNING))
    progress.on_end(trial(3, TrialState.COMPLETE, 0.74, 1e9))
    console.print(progress.table())
    shown = text_of(console)
    assert "2 complete" in shown
    assert "1 running" in shown
    assert "1 failed" in shown
    assert "12 planned" in shown
    assert "AUC 0.74000 (trial 3, unimixer)" in shown
    assert "Training FLOPs 100M (trial 0, unimixer)" in shown
    assert "0.45" in shown  # 0.21 * 2 + 0.03 * 1 of the two points
    assert "left" in shown


def test_without_a_terminal_a_line_an_ended_trial(console: Console) -> None:
    with ProgressDisplay(SEARCH, [], None, None, console) as progress:
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
