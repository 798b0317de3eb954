"""What `keep:` deletes, and what it never touches."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mixfront.pareto.front import front_of
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.records.fence import Fence
from mixfront.search.retention import Retention
from mixfront.spec.search_spec import SearchSpec

POINTS = [(0.60, 1e9), (0.70, 1e10), (0.69, 2e10), (0.68, 3e10), (0.75, 1e11)]  # 2, 3 dominated


@pytest.fixture
def trained(store: RecordStore, trial: TrialRecord) -> RecordStore:
    """Five complete trials and an interrupted one, all with files."""
    for number, (auc, flops) in enumerate([*POINTS, (0.5, 5e11)]):
        state = TrialState.COMPLETE if number < len(POINTS) else TrialState.INTERRUPTED
        url = store.trial_url(str(number))
        for name in ("step-8/shard", "final/model", "mixing/picture"):
            file = Path(url, name)
            file.parent.mkdir(parents=True)
            file.write_bytes(b"x" * 1000)
        values = {"auc": auc, "flops": flops}
        files = {"checkpoint": f"{url}/step-8", "model_url": f"{url}/final"}
        update = {"trial_id": str(number), "state": state, "values": values, **files}
        store.save_trial(trial.model_copy(update=update))
    return store


def apply(store: RecordStore, search: SearchRecord, keep: str) -> list[str]:
    front = front_of(store.trials(), search.objectives, search.reference_point)
    return Retention(store, keep).apply(front)


def num_bytes(store: RecordStore) -> int:
    files = Path(store.url).rglob("*")
    return sum(file.stat().st_size for file in files if file.name in ("shard", "model"))


@pytest.mark.parametrize(
    ("keep", "deleted"),
    [("all", []), ("front", ["2", "3"]), ("best:1", ["0", "1", "2", "3"]), ("best:4", ["3"])],
)
def test_the_files_of_other_complete_trials_are_deleted(
    trained: RecordStore, search: SearchRecord, keep: str, deleted: list[str]
) -> None:
    before = num_bytes(trained)
    assert apply(trained, search, keep) == deleted
    assert before - num_bytes(trained) == 2000 * len(deleted)
    for record in trained.trials():
        is_deleted = record.trial_id in deleted
        assert record.files_deleted == is_deleted
        assert (record.checkpoint is None) == (record.model_url is None) == is_deleted
        assert Path(trained.trial_url(record.trial_id), "mixing/picture").exists()
    assert apply(trained, search, keep) == []


def test_files_outside_the_searchs_folder_are_not_deleted(
    trained: RecordStore, search: SearchRecord, tmp_path: Path
) -> None:
    folder = Path(trained.trial_url("2"))
    folder.rename(tmp_path / "outside")
    folder.symlink_to(tmp_path / "outside")
    assert apply(trained, search, "front") == ["3"]
    assert (tmp_path / "outside" / "final" / "model").exists()


def test_a_failure_is_tried_again(
    trained: RecordStore, search: SearchRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError("the storage is away")

    with monkeypatch.context() as patch:
        patch.setattr("fsspec.implementations.local.LocalFileSystem.rm", fail)
        assert apply(trained, search, "front") == []
    assert not trained.trial("2").files_deleted
    assert apply(trained, search, "front") == ["2", "3"]


def test_a_driver_that_lost_its_lease_deletes_nothing(
    trained: RecordStore, search: SearchRecord
) -> None:
    lost = trained.fenced(Fence(1, lambda: "the lease is lost"))
    assert apply(lost, search, "front") == []
    assert num_bytes(trained) == 12000


@pytest.mark.parametrize("keep", ["all", "front", "best:20"])
def test_a_spec_says_what_is_kept(make_spec: Callable[..., SearchSpec], keep: str) -> None:
    assert make_spec(keep=keep).keep == keep


@pytest.mark.parametrize("keep", ["best", "best:0", "none", "best:two"])
def test_anything_else_is_refused(make_spec: Callable[..., SearchSpec], keep: str) -> None:
    with pytest.raises(ValueError, match="write 'all', 'front' or 'best:N'"):
        make_spec(keep=keep)
