"""The check of MLflow, with an SQLite file also in place of a server."""

import os
from pathlib import Path

import pytest

from mixfront.doctor.finding import Status
from mixfront.doctor.mlflow_server import _server, check_mlflow
from mixfront.tracking.client import connect


def test_a_file_that_does_not_exist_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    finding = check_mlflow()
    assert finding.status is Status.OK
    assert finding.seen == f"no server is set; {tmp_path}/mixfront.db will be created"
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert check_mlflow().status is Status.FAILED


def test_a_file(tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(tracking_uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    assert check_mlflow().status is Status.OK
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "is not writable" in check_mlflow().seen


def test_an_unreachable_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter2@127.0.0.1:9")
    finding = check_mlflow()
    assert finding.status is Status.FAILED
    assert "MLflow at http://***@127.0.0.1:9 cannot be used" in finding.seen


def test_the_experiment_on_a_server_is_deleted(tracking_uri: str) -> None:
    for _ in range(2):  # the second time, the deleted experiment exists
        assert _server(tracking_uri).status is Status.OK
    names = [experiment.name for experiment in connect(tracking_uri).search_experiments()]
    assert [name for name in names if name.startswith("mixfront-doctor")] == []


def test_a_read_only_server(tracking_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    def refuse(*_: object) -> None:
        raise mlflow.exceptions.MlflowException("Permission denied")

    monkeypatch.setattr(mlflow.MlflowClient, "delete_experiment", refuse)
    finding = _server(tracking_uri)
    assert finding.status is Status.FAILED
    assert finding.seen.endswith("responds, but refuses writes: Permission denied")
