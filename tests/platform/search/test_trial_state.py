"""A trial's record and final state, from its lane's reports."""

import math
from typing import Any

import pytest

from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.records.store import TrialRecord, TrialState
from mixfront.search.trial_state import apply_report, end_trial, finite
from mixfront.spec.objectives import Objective

OBJECTIVES = (
    Objective(metric="auc", direction="max"),
    Objective(metric="flops", direction="min"),
)
REPORT = TrialReport(
    trial_id="0",
    status=TrialStatus.COMPLETE,
    fidelity=1.0,
    metrics={"auc": 0.7, "logloss": 0.5},
    checkpoint="c",
    model_url="m",
    attempts=1,
    accelerator_seconds=12.0,
    seconds={"train": 3.0},
)


def ended(report: TrialReport | None, **options: Any) -> TrialRecord:
    record = TrialRecord(trial_id="0", family="f", config={}, costs={"flops": 1e9})
    if report is not None:
        apply_report(record, report, record.model_copy(deep=True), OBJECTIVES)
    end_trial(record, report, OBJECTIVES, **{"died": False, "budget_spent": None} | options)
    return record


def changed(**fields: Any) -> TrialReport:
    return TrialReport.model_validate(REPORT.model_dump() | fields)


def test_a_complete_trial_has_full_fidelity_and_every_objective() -> None:
    record = ended(REPORT)
    assert record.state is TrialState.COMPLETE
    assert record.values == {"auc": 0.7, "flops": 1e9}
    assert (record.checkpoint, record.model_url, record.attempts) == ("c", "m", 1)
    assert record.accelerator_seconds == 12
    assert record.seconds == {"train": 3.0}
    assert record.ended is not None
    assert record.error is None


def test_a_repeated_evaluation_changes_neither_fidelity_nor_metrics() -> None:
    """The trial fell back from a damaged checkpoint to the one before, and trained longer."""
    record = ended(changed(status="running", fidelity=0.5, metrics={"auc": 0.7}, checkpoint="b"))
    before = record.model_copy(deep=True)
    for fidelity, auc, checkpoint in ((0.25, 0.6, "a"), (0.5, 0.71, "b")):
        repeated = changed(
            status="running", fidelity=fidelity, metrics={"auc": auc}, checkpoint=checkpoint
        )
        apply_report(record, repeated, before, OBJECTIVES)
        assert (record.fidelity, record.metrics) == (0.5, {"auc": 0.7})
        assert record.values == {"auc": 0.7, "flops": 1e9}
        assert record.checkpoint == checkpoint  # the one that exists
        assert record.accelerator_seconds == 24
    apply_report(record, REPORT, before, OBJECTIVES)
    assert (record.fidelity, record.metrics) == (1.0, REPORT.metrics)


@pytest.mark.parametrize(
    ("change", "state", "error"),
    [
        ({"metrics": {"auc": math.nan}}, TrialState.FAILED, "the objective 'auc' is nan"),
        ({"metrics": {"auc": math.inf}}, TrialState.FAILED, "the objective 'auc' is inf"),
        ({"metrics": {"uauc": 0.7}}, TrialState.FAILED, "the objective 'auc' is missing"),
        ({"metrics": {}}, TrialState.FAILED, "the objective 'auc' is missing"),
        ({"fidelity": 0.5}, TrialState.FAILED, "reported as complete at fidelity 0.5, not 1"),
        ({"status": "failed", "error": "CUDA error"}, TrialState.FAILED, "CUDA error"),
        ({"status": "failed"}, TrialState.FAILED, "the lane reported no reason"),
        (
            {"status": "running", "fidelity": 0.5},
            TrialState.PRUNED,
            "stopped early at fidelity 0.5: other trials were better there",
        ),
        ({"status": "interrupted", "fidelity": 0.5}, TrialState.INTERRUPTED, None),
        ({"status": "interrupted", "error": "SIGINT"}, TrialState.INTERRUPTED, "SIGINT"),
    ],
)
def test_other_final_states(change: dict[str, Any], state: TrialState, error: str | None) -> None:
    record = ended(changed(**change))
    assert (record.state, record.error) == (state, error)


def test_a_trial_whose_actor_died_has_failed() -> None:
    record = ended(None, died=True)
    assert record.state is TrialState.FAILED
    assert record.error == "the trial's Tune actor died"


def test_a_trial_that_tune_never_started_is_interrupted() -> None:
    assert ended(None).state is TrialState.INTERRUPTED


@pytest.mark.parametrize("status", ["interrupted", "running"])
def test_a_spent_budget_prunes_the_trials_it_stops(status: str) -> None:
    record = ended(changed(status=status, fidelity=0.5), budget_spent="no time left")
    assert (record.state, record.error) == (TrialState.PRUNED, "no time left")


def test_a_trial_that_completes_despite_a_spent_budget_is_complete() -> None:
    assert ended(REPORT, budget_spent="no time left").state is TrialState.COMPLETE


def test_a_later_report_never_resets_a_record() -> None:
    before = TrialRecord(
        trial_id="0", family="f", config={}, attempts=2, accelerator_seconds=100,
        fidelity=0.5, checkpoint="old", metrics={"auc": 0.6},
    )  # fmt: skip
    record = before.model_copy(deep=True)
    failed = TrialReport(
        trial_id="0", status=TrialStatus.FAILED, accelerator_seconds=5, attempts=1
    )
    apply_report(record, failed, before, OBJECTIVES)
    assert (record.fidelity, record.checkpoint, record.metrics) == (0.5, "old", {"auc": 0.6})
    assert (record.attempts, record.accelerator_seconds) == (3, 105)
    for _ in range(2):
        report = TrialReport(
            trial_id="0",
            status=TrialStatus.RUNNING,
            accelerator_seconds=9,
            seconds={"train": 2.0},
        )
        apply_report(record, report, before, OBJECTIVES)
    assert record.accelerator_seconds == 109  # reports count these from the start of the lease
    assert record.seconds == {"train": 4.0}  # and these from one evaluation to the next


def test_a_record_only_holds_finite_numbers() -> None:
    assert finite({"a": 1, "b": math.nan, "c": -math.inf, "d": "x", "e": None}) == {"a": 1.0}
    record = ended(changed(metrics={"auc": math.nan, "logloss": 0.4}))
    assert TrialRecord.model_validate_json(record.model_dump_json()) == record
