"""Notes on a trial, from its metrics."""

import pytest

from mixfront.records import TrialRecord, TrialState
from mixfront.records.trial_notes import trial_notes


def trial(state: TrialState = TrialState.COMPLETE, **distances: float) -> TrialRecord:
    metrics = {f"mixing/{name}": value for name, value in distances.items()} | {"auc": 0.7}
    return TrialRecord(trial_id="0", family="unimixer", config={}, state=state, metrics=metrics)


def test_the_note_says_which_mixing_never_moved_and_what_to_do() -> None:
    (note,) = trial_notes(
        trial(
            global_distance_layer0=0.002,
            global_distance_layer1=0.0034,
            local_distance_layer0=0.1,
        )
    )
    assert "global mixing never moved" in note
    assert "0.0034" in note
    assert "training.optimizer.mixing_lr_factor" in note


def test_one_layer_that_moved_is_enough() -> None:
    assert trial_notes(trial(global_distance_layer0=0.0, global_distance_layer1=0.02)) == []


def test_a_trial_without_learned_mixing_has_no_note() -> None:
    assert trial_notes(trial()) == []


@pytest.mark.parametrize("state", [TrialState.PRUNED, TrialState.RUNNING, TrialState.FAILED])
def test_only_complete_trials_have_notes(state: TrialState) -> None:
    """A trial that ended early may not have had the time."""
    assert trial_notes(trial(state, global_distance_layer0=0.0)) == []
