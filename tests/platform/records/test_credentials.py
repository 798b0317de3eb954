"""Passwords are not written down, and are asked for again."""

from pathlib import Path

import pytest

from mixfront.exceptions import SpecError
from mixfront.records import RecordStore, SearchRecord
from mixfront.records.credentials import with_credentials
from mixfront.spec.objectives import Objective

STUDY = "postgresql://me:hunter2@db/optuna"


@pytest.fixture
def kept(tmp_path: Path) -> SearchRecord:
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


def test_the_environment_gives_the_password_back(
    kept: SearchRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTUNA_STORAGE", STUDY)
    whole = with_credentials(kept)
    assert whole.optuna_storage == STUDY
    assert whole.tracking_uri == kept.tracking_uri


def test_credentials_in_the_datas_path_cannot_be_asked_for_again(kept: SearchRecord) -> None:
    lost = kept.model_copy(update={"spec": {"data": {"path": "s3://***@logs/day"}}})
    with pytest.raises(SpecError, match="was kept without its credentials"):
        with_credentials(lost)


def test_without_it_one_sentence(kept: SearchRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    with pytest.raises(SpecError, match="set OPTUNA_STORAGE"):
        with_credentials(kept)
