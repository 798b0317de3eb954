"""What a driver refuses before it starts a lane."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from mixfront.exceptions import DataError, StorageError
from mixfront.records import SearchRecord
from mixfront.search import run
from mixfront.search.proposals import Proposals
from mixfront.search.run import run_search


def search_of(driver: Any, **changes: Any) -> SearchRecord:
    """The record of a driver's search."""
    values = {
        "search_id": "s-1",
        "name": "s",
        "spec": driver.spec.dump(),
        "objectives": list(driver.spec.objectives),
        "reference_point": [],
        "optuna_storage": f"sqlite:///{driver.store.url}/optuna.db",
        "tracking_uri": "sqlite://",
        "experiment": "e",
        "encoder": f"{driver.store.url}/encoder",
    }
    return SearchRecord.model_validate(values | changes)


def test_a_checkpoint_elsewhere_is_not_resumed(
    make_driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make_driver().run(max_results=1)
    [record, *_] = driver.store.trials()
    driver.store.save_trial(record.model_copy(update={"checkpoint": "s3://elsewhere/step-8"}))
    monkeypatch.setattr(Proposals, "open", lambda *_: driver.proposals)
    with pytest.raises(StorageError, match="of trial 0 is at 's3://elsewhere/step-8'"):
        run_search(driver.store, search_of(driver), Console(file=io.StringIO()))


def test_an_encoder_elsewhere_is_not_loaded(make_driver: Any) -> None:
    driver = make_driver()
    search = search_of(driver, encoder="/elsewhere/encoder")
    with pytest.raises(StorageError, match="the encoder of 's' is at '/elsewhere/encoder'"):
        run_search(driver.store, search, Console(file=io.StringIO()))


def test_a_search_whose_data_changed_is_not_resumed(
    make_driver: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "day.parquet")
    data = {"path": str(tmp_path), "schema": "/schema.yaml", "validation": "day == 2"}
    driver = make_driver(data=data).run(max_results=0)
    monkeypatch.setattr(Proposals, "open", lambda *_: driver.proposals)
    driver.store.save_data_files({"/day.parquet": "as it was"})
    search = search_of(driver, dataset_digest="footers:as it was")
    with pytest.raises(DataError, match=f"{tmp_path} has changed since search 's' started"):
        run_search(driver.store, search, Console(file=io.StringIO()))


def test_a_search_whose_storage_fails_is_interrupted(
    make_driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, search = make_driver(), search_of(make_driver())
    driver.storage._outage_s = 0
    store = driver.store.with_retries(driver.storage)

    def fail(*_arguments: object) -> None:
        raise OSError("no space left on device")

    def run_tune(*_arguments: object) -> None:
        monkeypatch.setattr(store._fs, "pipe_file", fail)
        driver.run()

    pool: Any = SimpleNamespace(abort_all=lambda _reason: None)
    monkeypatch.setattr(run, "run_tune", run_tune)
    run._run_to_end(
        driver.searcher,
        driver.scheduler,
        pool,
        driver.lanes,
        driver.budget,
        search,
        store,
        driver.storage,
    )
    assert search.state == "interrupted"
    assert search.ended_because == driver.storage.failure
    with pytest.raises(StorageError, match="no space left on device"):
        store.save_search(search)
