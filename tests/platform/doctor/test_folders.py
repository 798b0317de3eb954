"""The checks of the storage and the cache."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import fsspec
import pytest

from mixfront.doctor import folders
from mixfront.doctor.finding import Status
from mixfront.doctor.folders import check_cache, check_storage


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_storage_that_does_not_exist_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIXFRONT_STORAGE", str(tmp_path / "new"))
    finding = check_storage()
    assert finding.status is Status.OK
    assert finding.seen.startswith(f"{tmp_path}/new is writable, ")
    assert list(tmp_path.iterdir()) == []


def test_a_storage_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXFRONT_STORAGE", str(tmp_path))
    monkeypatch.setattr(folders, "TemporaryFile", _refuse)
    finding = check_storage()
    assert finding.status is Status.FAILED
    assert finding.seen == f"{tmp_path} cannot be written to: Permission denied"
    assert "MIXFRONT_STORAGE" in finding.remedy


def test_low_disk_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXFRONT_STORAGE", str(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    finding = check_storage()
    assert finding.status is Status.WARNING
    assert "1.0 GB are free" in finding.seen


def test_a_remote_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXFRONT_STORAGE", "memory://doctor/searches")
    assert check_storage().status is Status.OK
    assert fsspec.filesystem("memory").ls("/doctor/searches") == []


def test_a_remote_storage_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXFRONT_STORAGE", "memory://doctor/searches")
    monkeypatch.setattr(fsspec.filesystem("memory"), "pipe_file", _refuse)
    finding = check_storage()
    assert finding.status is Status.FAILED
    assert "cannot be written to" in finding.seen


def test_a_private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path))
    assert check_cache().status is Status.OK
    (tmp_path / "encoded").mkdir(mode=0o700)
    assert check_cache().status is Status.OK


def test_the_size_and_the_limits_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path))
    monkeypatch.setenv("MIXFRONT_CACHE_MAX_GB", "2.5")
    (tmp_path / "encoded" / "x").mkdir(mode=0o700, parents=True)
    (tmp_path / "encoded").chmod(0o700)
    (tmp_path / "encoded" / "x" / "ids.npy").write_bytes(bytes(200_000_000))
    assert "encoded rows take 0.2 GB, at most 2.5 GB" in check_cache().seen
    assert "after 30 days" in check_cache().seen
    monkeypatch.setenv("MIXFRONT_CACHE_MAX_GB", "much")
    assert check_cache().status is Status.FAILED
    assert "MIXFRONT_CACHE_MAX_GB is 'much'" in check_cache().seen


def test_a_cache_that_others_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path))
    (tmp_path / "encoded").mkdir()
    (tmp_path / "encoded").chmod(0o755)
    finding = check_cache()
    assert finding.status is Status.FAILED
    assert finding.remedy == f"chmod 700 {tmp_path}/encoded"


def test_a_cache_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path))
    (tmp_path / "encoded").mkdir(mode=0o700)
    monkeypatch.setattr(os, "getuid", lambda: -1)
    assert "belongs to another user" in check_cache().seen
