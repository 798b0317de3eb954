"""Publishing a front to MLflow."""

from pathlib import Path

import pytest

from mixfront.pareto import front_json, publish, publish_front
from mixfront.pareto.publish import FrontPublisher
from mixfront.records import RecordStore, SearchRecord, TrialRecord
from mixfront.tracking import MlflowWriter
from mixfront.tracking.run_update import RunUpdate
from mixfront.tracking.spool import Spool


def published_updates(
    search: SearchRecord, trials: list[TrialRecord], times: int, folder: Path
) -> list[RunUpdate]:
    unreachable = search.model_copy(update={"tracking_uri": "http://127.0.0.1:9"})
    store = RecordStore(str(folder), "demo")
    writer = MlflowWriter(unreachable, store)
    for _ in range(times):
        publish_front(writer, search, trials)
    writer.close(timeout=0)
    return Spool(f"{store.url}/spool").replay()


def test_front_hypervolume_and_ranks_are_logged(
    search: SearchRecord, trials: list[TrialRecord], tmp_path: Path
) -> None:
    parent, *children = published_updates(search, trials, 1, tmp_path)
    assert parent.step == 6  # complete trials
    assert parent.metrics["hypervolume"] == front_json(search, trials)["hypervolume"]
    assert parent.texts.keys() == {"front.json"}
    assert parent.tags["mlflow.note.content"].startswith("| trial |")
    ranks = {child.trial_id: child.tags["pareto.rank"] for child in children}
    assert ranks == {"1": "0", "2": "0", "4": "0", "7": "0", "0": "1", "3": "1"}


def test_the_same_front_is_logged_once(
    search: SearchRecord, trials: list[TrialRecord], tmp_path: Path
) -> None:
    once, twice = (
        published_updates(search, trials, 1, tmp_path / "a"),
        published_updates(search, trials, 2, tmp_path / "b"),
    )
    assert len(once) == len(twice)


def test_an_empty_front_is_not_logged(search: SearchRecord, tmp_path: Path) -> None:
    assert published_updates(search, [], 1, tmp_path) == []


def test_publishing_takes_a_small_share_of_the_time(
    search: SearchRecord, trials: list[TrialRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, published = [0.0], []

    def publish_slowly(_writer: object, _search: object, some: list[TrialRecord]) -> None:
        now[0] += 1.0
        published.append(len(some))

    monkeypatch.setattr(publish, "publish_front", publish_slowly)
    publisher = FrontPublisher(None, search, clock=lambda: now[0])  # type: ignore[arg-type]
    for count in range(1, 61):  # a trial per second, and a second for each front
        publisher.publish(trials[:1] * count)
        now[0] += 1.0
    assert published == [1, 21, 41]
    publisher.publish_due(trials[:1] * 60)
    publisher.publish_due(trials[:1] * 60)
    assert published == [1, 21, 41, 60]
