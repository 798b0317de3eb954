"""Where encoded rows are kept."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from mixfront.data.cache_folder import private_folder, remove, require_space
from mixfront.exceptions import DataError


def test_it_is_private_even_if_it_was_not_before(tmp_path: Path) -> None:
    (tmp_path / "encoded").mkdir(mode=0o755)
    folder = private_folder(tmp_path)
    assert folder == tmp_path / "encoded"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_environment_sets_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path / "elsewhere"))
    assert private_folder(None) == tmp_path / "elsewhere" / "encoded"
    monkeypatch.delenv("MIXFRONT_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert private_folder(None) == tmp_path / ".cache" / "mixfront" / "encoded"


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"cannot use the cache .*; set MIXFRONT_CACHE"):
        private_folder(tmp_path / "file")


def test_a_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    with pytest.raises(DataError, match="belongs to another user; set MIXFRONT_CACHE"):
        private_folder(tmp_path)


def test_a_disk_with_too_little_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=3_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    require_space(tmp_path, 3_000_000_000)
    with pytest.raises(DataError, match=r"need 3\.2 GB but .* has 3\.0 GB left; free some"):
        require_space(tmp_path, 3_200_000_000)


def test_removing_a_folder_that_is_gone(tmp_path: Path) -> None:
    folder = private_folder(tmp_path)
    (folder / "file").touch()
    remove(folder)
    remove(folder)
    assert not folder.exists()
