"""What the writer is told of a front."""

from pathlib import Path

from mixfront.pareto import front_json, publish_front
from mixfront.records import RecordStore, SearchRecord, TrialRecord
from mixfront.tracking import MlflowWriter
from mixfront.tracking.run_update import RunUpdate
from mixfront.tracking.spool import Spool


def told_of(
    search: SearchRecord, trials: list[TrialRecord], times: int, folder: Path
) -> list[RunUpdate]:
    away = search.model_copy(update={"tracking_uri": "http://127.0.0.1:9"})
    store = RecordStore(str(folder), "demo")
    writer = MlflowWriter(away, store)
    for _ in range(times):
        publish_front(writer, search, trials)
    writer.close(timeout=0)
    return Spool(f"{store.url}/spool").replay()


def test_front_hypervolume_and_ranks(
    search: SearchRecord, trials: list[TrialRecord], tmp_path: Path
) -> None:
    parent, *children = told_of(search, trials, 1, tmp_path)
    assert parent.step == 6  # complete trials
    assert parent.metrics["hypervolume"] == front_json(search, trials)["hypervolume"]
    assert parent.texts.keys() == {"front.json"}
    assert parent.tags["mlflow.note.content"].startswith("| trial |")
    ranks = {child.trial_id: child.tags["pareto.rank"] for child in children}
    assert ranks == {"1": "0", "2": "0", "4": "0", "7": "0", "0": "1", "3": "1"}


def test_the_same_front_is_told_once(
    search: SearchRecord, trials: list[TrialRecord], tmp_path: Path
) -> None:
    once, twice = (
        told_of(search, trials, 1, tmp_path / "a"),
        told_of(search, trials, 2, tmp_path / "b"),
    )
    assert len(once) == len(twice)


def test_no_front_is_not_told(search: SearchRecord, tmp_path: Path) -> None:
    assert told_of(search, [], 1, tmp_path) == []
