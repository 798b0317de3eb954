"""What a search's record says after Ray refused it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from rich.console import Console

from mixfront.cli.drive import drive, prepare_and_drive
from mixfront.exceptions import LaneError
from mixfront.lanes.config import TrialConfig
from mixfront.records import RecordStore, SearchRecord
from mixfront.spec.objectives import Objective
from mixfront.spec.search_spec import SearchSpec


@contextmanager
def refuse(_trial: TrialConfig) -> Iterator[None]:
    raise LaneError("a trial needs 2 workers with 1 GPUs each")
    yield


def test_a_search_that_ray_refused_is_interrupted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mixfront.cluster.connection.connect", refuse)
    store = RecordStore(str(tmp_path), "clicks")
    record = SearchRecord(
        search_id="clicks-1",
        name="clicks",
        spec={
            "name": "clicks",
            "data": {"path": "/d", "schema": "/s", "train": "d == 1", "validation": "d == 2"},
        },
        objectives=[Objective(metric="auc", direction="max")],
        reference_point=[0.5],
        optuna_storage=f"sqlite:///{tmp_path}/clicks/optuna.db",
        tracking_uri="sqlite://",
        experiment="e",
    )
    store.create(record)
    with pytest.raises(LaneError):
        drive(store, record, Console(quiet=True))
    ended = store.search()
    assert ended.state == "interrupted"
    assert ended.ended_because == "a trial needs 2 workers with 1 GPUs each"


def prepared_spec(tmp_path: Path, **trial: float) -> SearchSpec:
    return SearchSpec.model_validate(
        {
            "name": "clicks",
            "data": {"path": "/d", "schema": "/s", "train": "d == 1", "validation": "d == 2"},
            "storage": str(tmp_path / "searches"),
            "trial": trial,
        }
    )


def test_a_wrong_address_is_refused_before_a_search_takes_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(LaneError, match="no Ray cluster answers"):
        prepare_and_drive(prepared_spec(tmp_path), Console(quiet=True))
    assert not (tmp_path / "searches").exists()


def test_gpus_that_this_machine_lacks_are_refused_before_a_search_takes_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    spec = prepared_spec(tmp_path, workers=4, gpus_per_worker=1)
    with pytest.raises(LaneError, match=r"4 workers .* 1 GPUs each, but the only node .* 2 GPUs;"):
        prepare_and_drive(spec, Console(quiet=True))
    assert not (tmp_path / "searches").exists()
