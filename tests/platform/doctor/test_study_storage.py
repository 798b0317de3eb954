"""Where studies are kept."""

from pathlib import Path

import pytest
import sqlalchemy

from mixfront.doctor.finding import Status
from mixfront.doctor.study_storage import check_study_storage


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("OPTUNA_STORAGE", raising=False)
    monkeypatch.delenv("MIXFRONT_STORAGE", raising=False)
    return monkeypatch


def test_beside_the_records(named: pytest.MonkeyPatch) -> None:
    assert check_study_storage().status is Status.OK
    named.setenv("MIXFRONT_STORAGE", "s3://bucket/searches")
    finding = check_study_storage()
    assert finding.status is Status.FAILED
    assert "OPTUNA_STORAGE" in finding.remedy


def test_a_file(named: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named.setenv("OPTUNA_STORAGE", f"sqlite:///{tmp_path}/optuna.db")
    assert check_study_storage().status is Status.OK
    assert list(tmp_path.iterdir()) == []
    named.setenv("OPTUNA_STORAGE", f"sqlite:///{tmp_path}/missing/optuna.db")
    assert check_study_storage().status is Status.FAILED


def test_a_database_that_answers(named: pytest.MonkeyPatch) -> None:
    named.setenv("OPTUNA_STORAGE", "sqlite://")  # in memory: through SQLAlchemy
    assert check_study_storage().status is Status.OK


def test_a_database_that_does_not(named: pytest.MonkeyPatch) -> None:
    def refuse(url: str) -> None:
        raise OSError(f"connection to {url} refused")

    named.setattr(sqlalchemy, "create_engine", refuse)
    named.setenv("OPTUNA_STORAGE", "postgresql://me:hunter2@db/optuna")
    finding = check_study_storage()
    assert finding.status is Status.FAILED
    assert "refused" in finding.seen
    assert "hunter2" not in finding.seen + finding.remedy


def test_what_is_no_database(named: pytest.MonkeyPatch) -> None:
    named.setenv("OPTUNA_STORAGE", "redis://host:6379")
    assert check_study_storage().status is Status.SKIPPED
