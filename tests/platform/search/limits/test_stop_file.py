"""Stop requests, also while storage fails."""

import logging
from pathlib import Path
from typing import Any

import pytest

from mixfront.records.retries import StorageRetries
from mixfront.search.limits.stop_file import STOP_FILE, StopFile, request_stop


@pytest.fixture
def retries() -> StorageRetries:
    return StorageRetries("demo")


def broken(*_arguments: Any) -> Any:
    raise OSError("connection reset")


def test_a_request_is_found_once(tmp_path: Path, retries: StorageRetries) -> None:
    stop_file = StopFile(str(tmp_path), retries)
    assert not stop_file.is_requested()
    request_stop(str(tmp_path))
    assert stop_file.is_requested()
    assert not stop_file.is_requested()


def test_an_outage_is_survived_and_logged_once(
    tmp_path: Path, retries: StorageRetries, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    stop_file = StopFile(str(tmp_path), retries, clock=lambda: now)
    request_stop(str(tmp_path))
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(stop_file._fs, "exists", broken)
        for now in range(100):  # noqa: B007  # the clock reads it
            assert not stop_file.is_requested()
    assert caplog.text.count("connection reset") == 1
    assert retries.failure is None
    now = 130
    assert stop_file.is_requested()


def test_a_long_outage_gives_the_storage_up(
    tmp_path: Path, retries: StorageRetries, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    stop_file = StopFile(str(tmp_path), retries, clock=lambda: now)
    monkeypatch.setattr(stop_file._fs, "exists", broken)
    for now in range(200):  # noqa: B007
        assert not stop_file.is_requested()
    assert retries.failure is not None
    assert "connection reset" in retries.failure


def test_a_request_that_cannot_be_removed_still_stops(
    tmp_path: Path, retries: StorageRetries, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_stop(str(tmp_path))
    stop_file = StopFile(str(tmp_path), retries)
    monkeypatch.setattr(stop_file._fs, "rm_file", broken)
    assert stop_file.is_requested()
    assert (tmp_path / STOP_FILE).exists()
