"""From a lane's last words to a true state."""

import math
from typing import Any

import pytest
from ray._private.dict import flatten_dict

from mixfront.records.store import TrialRecord, TrialState
from mixfront.search.trial_state import Report, finite, is_evaluation, settle, take_in
from mixfront.spec.objectives import Objective

OBJECTIVES = (
    Objective(metric="auc", direction="max"),
    Objective(metric="flops", direction="min"),
)
RESULT: dict[str, Any] = {
    "status": "complete",
    "fidelity": 1.0,
    "metrics": {"auc": 0.7, "logloss": 0.5},
    "checkpoint": "c",
    "final": "f",
    "error": None,
    "attempts": 1,
    "accelerator_seconds": 12.0,
    "seconds": {"train": 3.0},
    "training_iteration": 2,
}


def ended(result: dict[str, Any] | None, **options: Any) -> TrialRecord:
    record = TrialRecord(trial_id="0", family="f", config={}, costs={"flops": 1e9})
    report = Report.read(result)
    take_in(record, report, record.model_copy(deep=True), OBJECTIVES)
    settle(record, report, OBJECTIVES, **{"died": False, "budget_spent": None} | options)
    return record


def test_tune_flattens_and_we_read_both() -> None:
    assert Report.read(flatten_dict(RESULT)) == Report.read(RESULT)
    assert Report.read(RESULT).metrics == {"auc": 0.7, "logloss": 0.5}
    assert Report.read(None) == Report.read({}) == Report()


def test_complete_is_full_fidelity_with_every_objective() -> None:
    record = ended(RESULT)
    assert record.state is TrialState.COMPLETE
    assert record.values == {"auc": 0.7, "flops": 1e9}
    assert (record.checkpoint, record.final, record.attempts) == ("c", "f", 1)
    assert record.accelerator_seconds == 12
    assert record.seconds == {"train": 3.0}
    assert record.ended is not None
    assert record.error is None


@pytest.mark.parametrize(
    ("change", "state", "error"),
    [
        ({"metrics": {"auc": math.nan}}, TrialState.FAILED, "the objective 'auc' is nan"),
        ({"metrics": {"auc": math.inf}}, TrialState.FAILED, "the objective 'auc' is inf"),
        ({"metrics": {"uauc": 0.7}}, TrialState.FAILED, "the objective 'auc' is missing"),
        ({"metrics": {}}, TrialState.FAILED, "the objective 'auc' is missing"),
        ({"fidelity": 0.5}, TrialState.FAILED, "reported complete at fidelity 0.5"),
        ({"status": "failed", "error": "CUDA error"}, TrialState.FAILED, "CUDA error"),
        ({"status": "failed"}, TrialState.FAILED, "the lane gave no reason"),
        (
            {"status": "running", "fidelity": 0.5, "done": True},
            TrialState.PRUNED,
            "stopped early at fidelity 0.5, where other trials were better",
        ),
        ({"status": "interrupted", "fidelity": 0.5}, TrialState.INTERRUPTED, None),
        ({"status": "interrupted", "error": "SIGINT"}, TrialState.INTERRUPTED, "SIGINT"),
    ],
)
def test_every_other_end(change: dict[str, Any], state: TrialState, error: str | None) -> None:
    record = ended({**RESULT, **change})
    assert (record.state, record.error) == (state, error)


def test_a_lost_process_is_a_failure_whatever_was_reported_last() -> None:
    record = ended(None, died=True)
    assert record.state is TrialState.FAILED
    assert record.error == "the process that followed the trial died"


def test_a_trial_that_tune_never_started_is_interrupted() -> None:
    assert ended(None).state is TrialState.INTERRUPTED


@pytest.mark.parametrize("status", ["interrupted", "running"])
def test_a_spent_budget_prunes_what_it_stops(status: str) -> None:
    record = ended({**RESULT, "status": status, "fidelity": 0.5}, budget_spent="time is up")
    assert (record.state, record.error) == (TrialState.PRUNED, "time is up")


def test_what_completed_in_spite_of_a_spent_budget_is_complete() -> None:
    assert ended(RESULT, budget_spent="time is up").state is TrialState.COMPLETE


def test_a_record_takes_in_evaluations_and_never_goes_back() -> None:
    before = TrialRecord(
        trial_id="0", family="f", config={}, attempts=2, accelerator_seconds=100,
        fidelity=0.5, checkpoint="old", metrics={"auc": 0.6},
    )  # fmt: skip
    record = before.model_copy(deep=True)
    take_in(record, Report(status="failed", accelerator_seconds=5, attempts=1), before, OBJECTIVES)
    assert (record.fidelity, record.checkpoint, record.metrics) == (0.5, "old", {"auc": 0.6})
    assert (record.attempts, record.accelerator_seconds) == (3, 105)
    for _ in range(2):
        report = Report(status="running", accelerator_seconds=9, seconds={"train": 2.0})
        take_in(record, report, before, OBJECTIVES)
    assert record.accelerator_seconds == 109  # a lane counts them from its lease
    assert record.seconds == {"train": 4.0}  # and these from evaluation to evaluation


def test_a_record_holds_only_what_json_can() -> None:
    assert finite({"a": 1, "b": math.nan, "c": -math.inf, "d": "x", "e": None}) == {"a": 1.0}
    record = ended({**RESULT, "metrics": {"auc": math.nan, "logloss": 0.4}})
    assert TrialRecord.model_validate_json(record.model_dump_json()) == record


def test_what_is_an_evaluation() -> None:
    assert is_evaluation(Report.read(RESULT))
    assert not is_evaluation(Report(status="failed", metrics={"auc": 0.5}))
    assert not is_evaluation(Report(status="running"))
