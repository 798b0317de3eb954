"""Whether a trial that was trained again is the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from mixfront.records import SearchRecord, TrialRecord
from mixfront.search.reproduce import compare, is_repeatable, weights_digest


def search(**changes: Any) -> SearchRecord:
    values = {
        "search_id": "s-1",
        "name": "s",
        "spec": {},
        "objectives": [],
        "reference_point": [],
        "optuna_storage": "",
        "tracking_uri": "",
        "experiment": "",
        "dataset_digest": "d",
        "versions": {"torch": "2.13.0"},
    }
    return SearchRecord.model_validate(values | changes)


def trial(folder: Path, sha256: str = "w", **metrics: float) -> TrialRecord:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({"weights": {"sha256": sha256}}))
    return TrialRecord(
        trial_id="0",
        family="unimixer",
        config={},
        metrics={"auc": 0.7, "samples_per_s": 1.0} | metrics,
        model_url=str(folder),
    )


def test_the_same_trial_has_no_differences(tmp_path: Path) -> None:
    old, new = trial(tmp_path / "a"), trial(tmp_path / "b", samples_per_s=9.0)
    found = compare(search(), old, search(), new)
    assert found.differences() == []
    assert found.same_weights
    assert found.metrics == {"auc": (0.7, 0.7)}


def test_every_difference_is_named(tmp_path: Path) -> None:
    old, new = trial(tmp_path / "a"), trial(tmp_path / "b", "v", auc=0.6)
    again = search(dataset_digest="e", versions={"torch": "2.14.0"})
    assert compare(search(), old, again, new).differences() == [
        "the data set has changed since",
        "torch was 2.13.0 and is 2.14.0 now",
        "the weights differ",
        "metrics differ: auc",
    ]


def test_what_an_old_record_does_not_say_is_named(tmp_path: Path) -> None:
    old = trial(tmp_path / "a").model_copy(update={"model_url": str(tmp_path / "gone")})
    before = search(dataset_digest=None, versions={})
    assert compare(before, old, search(), trial(tmp_path / "b")).differences() == [
        "the old record has no digest of its data",
        "torch was unknown and is 2.13.0 now",
        "the old model is gone, so weights cannot be compared",
    ]


@pytest.mark.parametrize(
    ("metric", "repeatable"),
    [
        ("auc", True),
        ("test_auc", True),
        ("train_loss", True),
        ("mixing/tau", True),
        ("mfu", False),
        ("latency_p50_ms_b1", False),
    ],
)
def test_times_are_not_compared(metric: str, repeatable: bool) -> None:
    assert is_repeatable(metric) is repeatable


def test_a_model_without_a_digest_cannot_be_compared(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    assert weights_digest(str(tmp_path)) is None
    assert weights_digest(None) is None
