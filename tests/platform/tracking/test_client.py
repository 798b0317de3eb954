"""MLflow clients without log noise and without global state."""

import logging
import os
import socket
import sys
import time
from pathlib import Path

import pytest

from mixfront.exceptions import MissingExtraError, TrackingError
from mixfront.tracking.client import (
    artifact_location,
    brief_requests,
    check_reachable,
    connect,
    sqlite_file,
)


def test_a_sqlite_file_is_created_without_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    check_reachable(f"sqlite:///{tmp_path}/new/folder/mixfront.db")
    assert (tmp_path / "new/folder/mixfront.db").exists()
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_an_unreachable_server_is_reported_quickly() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening: connections are refused
        uri = f"http://me:secret@127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(TrackingError, match=r"cannot be used \(.*refused") as problem:
            check_reachable(uri)
    assert time.monotonic() - started < 12
    assert "secret" not in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_server_that_never_responds_is_reported_at_the_deadline() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TrackingError, match=r"no response within 0\.5 s"):
            check_reachable(uri, timeout=0.5)


def test_a_deleted_experiment_is_refused(tracking_uri: str) -> None:
    client = connect(tracking_uri)
    client.delete_experiment(client.create_experiment("gone"))
    with pytest.raises(TrackingError, match="'gone' was deleted; restore it"):
        check_reachable(tracking_uri, "gone")


def test_an_experiment_may_not_exist_yet(tracking_uri: str) -> None:
    check_reachable(tracking_uri, "new")


def test_the_environment_is_restored(tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    before = dict(os.environ)
    with brief_requests():
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"
        connect(tracking_uri)
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("sqlite:////a/b.db", Path("/a/b.db")),
        ("sqlite:////a/b.db?timeout=5", Path("/a/b.db")),
        ("sqlite:///:memory:", None),
        ("postgresql://h/d", None),
        ("http://h:5000", None),
    ],
)
def test_only_sqlite_uris_have_a_file(uri: str, file: Path | None) -> None:
    assert sqlite_file(uri) == file


def test_artifacts_are_next_to_the_database_file() -> None:
    assert artifact_location("sqlite:////a/b.db") == "file:///a/mlartifacts"
    assert artifact_location("http://h:5000") is None


def test_a_missing_driver_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    sentence = r"^MLflow at postgresql\+psycopg2://\*\*\*@db/mlflow needs mixfront\[postgres\]"
    with pytest.raises(MissingExtraError, match=sentence):
        check_reachable("postgresql+psycopg2://me:secret@db/mlflow")
