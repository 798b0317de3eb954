"""Passwords are not stored; resuming takes them from the environment."""

from pathlib import Path

import pytest

from mixfront.exceptions import SpecError
from mixfront.records import RecordStore, SearchRecord
from mixfront.records.credentials import with_credentials
from mixfront.spec.objectives import Objective

STUDY = "postgresql://me:hunter2@db/optuna"


@pytest.fixture
def stored(tmp_path: Path) -> SearchRecord:
    store = RecordStore(str(tmp_path), "s")
    record = SearchRecord(
        search_id="s-1",
        name="s",
        spec={"optuna_storage": STUDY},
        objectives=[Objective(metric="auc", direction="max")],
        reference_point=[0.5],
        optuna_storage=STUDY,
        tracking_uri="sqlite:////x/mlflow.db",
        experiment="e",
    )
    store.create(record)
    assert record.optuna_storage == STUDY
    assert "hunter2" not in (tmp_path / "s" / "search.json").read_text()
    return store.search()


def test_the_environment_restores_the_password(
    stored: SearchRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTUNA_STORAGE", STUDY)
    search = with_credentials(stored)
    assert search.optuna_storage == STUDY
    assert search.tracking_uri == stored.tracking_uri


def test_credentials_in_the_data_path_cannot_be_restored(stored: SearchRecord) -> None:
    scrubbed = stored.model_copy(update={"spec": {"data": {"path": "s3://***@logs/day"}}})
    with pytest.raises(SpecError, match="was stored without its credentials"):
        with_credentials(scrubbed)


def test_a_missing_password_is_one_sentence(
    stored: SearchRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    with pytest.raises(SpecError, match="set OPTUNA_STORAGE"):
        with_credentials(stored)


def test_a_record_that_names_another_server_than_the_environment_is_warned_about(
    stored: SearchRecord, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Everyone who can write to the storage could have redirected the search."""
    monkeypatch.setenv("OPTUNA_STORAGE", STUDY)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////x/mlflow.db")
    with_credentials(stored)
    assert caplog.text == ""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hunter2@mlflow")
    with_credentials(stored)
    assert "says sqlite:////x/mlflow.db, but MLFLOW_TRACKING_URI is https://***@" in caplog.text
