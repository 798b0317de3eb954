"""Which trials may be promoted."""

import pytest

from mixfront.exceptions import PromotionError, UnknownNameError
from mixfront.records.store import RecordStore
from mixfront.registry.gate import promotable


def _with_final(store: RecordStore) -> RecordStore:
    for trial in store.trials():
        store.save_trial(
            trial.model_copy(update={"model_url": f"{store.trial_url(trial.trial_id)}/final"})
        )
    return store


@pytest.mark.parametrize("trial_id", ["0", "1"])
def test_a_trial_on_the_front_may_be_promoted(store: RecordStore, trial_id: str) -> None:
    assert promotable(_with_final(store), trial_id).trial_id == trial_id


def test_a_dominated_trial_is_refused_naming_a_better_one(store: RecordStore) -> None:
    with pytest.raises(PromotionError, match=r"trial 2 is dominated by trial 0 .*0\.75 against"):
        promotable(_with_final(store), "2")


def test_an_infeasible_trial_dominates_no_other(store: RecordStore) -> None:
    assert store.trial("3").values["auc"] == 0.99  # the best value, but infeasible
    assert promotable(_with_final(store), "0")


def test_equal_points_do_not_dominate_each_other(store: RecordStore) -> None:
    store = _with_final(store)
    store.save_trial(store.trial("0").model_copy(update={"trial_id": "9"}))
    assert promotable(store, "0")
    assert promotable(store, "9")


@pytest.mark.parametrize(
    ("trial_id", "reason"),
    [
        ("3", "infeasible: it violates the constraint on params by 3e"),
        ("4", "still running"),
        ("5", "mixfront search resume"),
        ("6", "stopped early"),
        ("7", "failed"),
        ("8", "infeasible"),
    ],
)
def test_other_trials_are_refused_with_the_reason(
    store: RecordStore, trial_id: str, reason: str
) -> None:
    with pytest.raises(PromotionError, match=reason):
        promotable(_with_final(store), trial_id)


def test_a_failed_trial_is_refused_with_its_error(store: RecordStore) -> None:
    store.save_trial(store.trial("7").model_copy(update={"error": "loss is nan"}))
    with pytest.raises(PromotionError, match=r"failed \(loss is nan\)"):
        promotable(store, "7")


def test_missing_export(store: RecordStore) -> None:
    with pytest.raises(PromotionError, match="exported model is missing"):
        promotable(store, "0")


def test_deleted_files_are_explained(store: RecordStore) -> None:
    search = store.search()
    search.spec["keep"] = "best:1"
    store.save_search(search)
    store.save_trial(store.trial("0").model_copy(update={"files_deleted": True}))
    with pytest.raises(PromotionError, match=r"`keep: best:1`; train it again .* `keep: all`"):
        promotable(store, "0")


def test_unknown_trial(store: RecordStore) -> None:
    with pytest.raises(UnknownNameError, match="unknown trial '77'"):
        promotable(store, "77")
