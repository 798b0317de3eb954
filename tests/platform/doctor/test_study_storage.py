"""The check of the storage of studies."""

from pathlib import Path

import pytest
import sqlalchemy

from mixfront.doctor.finding import Status
from mixfront.doctor.study_storage import check_study_storage


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    monkeypatch.delenv("MIXFRONT_STORAGE", raising=False)
    return monkeypatch


def test_the_default(environment: pytest.MonkeyPatch) -> None:
    assert check_study_storage().status is Status.OK
    environment.setenv("MIXFRONT_STORAGE", "s3://bucket/searches")
    finding = check_study_storage()
    assert finding.status is Status.FAILED
    assert "OPTUNA_STORAGE" in finding.remedy


def test_a_file(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("OPTUNA_STORAGE", f"sqlite:///{tmp_path}/optuna.db")
    assert check_study_storage().status is Status.OK
    assert list(tmp_path.iterdir()) == []
    environment.setenv("OPTUNA_STORAGE", f"sqlite:///{tmp_path}/missing/optuna.db")
    assert check_study_storage().status is Status.FAILED


def test_a_reachable_database(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OPTUNA_STORAGE", "sqlite://")  # in memory: through SQLAlchemy
    assert check_study_storage().status is Status.OK


def test_an_unreachable_database(environment: pytest.MonkeyPatch) -> None:
    def refuse(url: str) -> None:
        raise OSError(f"connection to {url} refused")

    environment.setattr(sqlalchemy, "create_engine", refuse)
    environment.setenv("OPTUNA_STORAGE", "postgresql://me:hunter2@db/optuna")
    finding = check_study_storage()
    assert finding.status is Status.FAILED
    assert "refused" in finding.seen
    assert "hunter2" not in finding.seen + finding.remedy


def test_other_storages_are_skipped(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OPTUNA_STORAGE", "redis://host:6379")
    assert check_study_storage().status is Status.SKIPPED
