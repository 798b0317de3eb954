"""Reports of trials, through Tune and back."""

import math

import pytest
from ray._private.dict import flatten_dict

from mixfront.pool.report import TrialReport, TrialStatus

REPORT = TrialReport(
    trial_id="7", status=TrialStatus.RUNNING, fidelity=0.5, metrics={"auc": 0.7, "x/y": math.inf}
)


def test_a_report_survives_tunes_flattening_and_extra_keys() -> None:
    result = flatten_dict(REPORT.to_tune() | {"trial_id": "tune_1", "training_iteration": 3})
    assert TrialReport.from_tune(result) == REPORT


@pytest.mark.parametrize("result", [None, {}, {"trial_id": "tune_1", "done": True}])
def test_a_trial_that_took_no_step_has_no_report(result: dict[str, object] | None) -> None:
    assert TrialReport.from_tune(result) is None


@pytest.mark.parametrize(
    ("status", "last"),
    [("running", False), ("complete", True), ("failed", True), ("interrupted", True)],
)
def test_the_last_report_tells_tune_that_the_trial_is_done(status: str, last: bool) -> None:
    report = REPORT.model_copy(update={"status": TrialStatus(status)})
    assert report.is_last is last
    assert report.to_tune()["done"] is last


def test_only_a_report_with_new_metrics_is_an_evaluation() -> None:
    assert REPORT.is_evaluation
    assert not REPORT.model_copy(update={"status": TrialStatus.FAILED}).is_evaluation
    assert not REPORT.model_copy(update={"metrics": {}}).is_evaluation
