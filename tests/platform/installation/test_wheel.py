"""The wheel of the running mixfront."""

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from mixfront.installation.wheel import build_wheel


def _text(wheel: Path, ending: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(ending)]
        return archive.read(name).decode()


def test_the_file_name_is_valid(tmp_path: Path) -> None:
    name, _version, build, tags = parse_wheel_filename(build_wheel(tmp_path).name)
    assert name == "mixfront"
    assert build
    assert {str(tag) for tag in tags} == {"py3-none-any"}


def test_same_files_give_same_bytes(tmp_path: Path) -> None:
    first, second = build_wheel(tmp_path / "a"), build_wheel(tmp_path / "b")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_different_files_give_a_different_name(tmp_path: Path) -> None:
    assert build_wheel(tmp_path).name != build_wheel(tmp_path, requires=False).name


def test_it_has_every_root_and_no_ignored_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(build_wheel(tmp_path)) as archive:
        names = archive.namelist()
    for part in ("exceptions.py", "models/_base.py", "spaces/py.typed", "cli/app.py"):
        assert f"mixfront/{part}" in names
    assert "mixfront/__init__.py" not in names  # it stays a namespace package
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]
    assert names[-1].endswith(".dist-info/entry_points.txt") or ".dist-info/" in names[-1]


def test_record_names_every_file_with_its_digest(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        for line in _text(wheel, "/RECORD").splitlines():
            name, digest, _size = line.rsplit(",", 2)
            if digest:
                raw = hashlib.sha256(archive.read(name)).digest()
                expected = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
                assert digest == f"sha256={expected}", name
        recorded = {line.rsplit(",", 2)[0] for line in _text(wheel, "/RECORD").splitlines()}
        assert recorded == set(archive.namelist())


@pytest.mark.parametrize("requires", [True, False])
def test_dependencies_are_listed_only_if_required(tmp_path: Path, requires: bool) -> None:
    text = _text(build_wheel(tmp_path, requires=requires), "/METADATA")
    assert ("Requires-Dist: torch" in text) is requires
    assert "Name: mixfront" in text


def test_it_has_the_entry_point(tmp_path: Path) -> None:
    assert "mixfront = mixfront.cli.app:main" in _text(build_wheel(tmp_path), "/entry_points.txt")
