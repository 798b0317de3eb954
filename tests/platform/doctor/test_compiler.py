"""The check of the tools that DeepSpeed builds its op with."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mixfront.doctor import compiler
from mixfront.doctor.compiler import check_compiler, missing_tools
from mixfront.doctor.finding import Status

Have = Callable[..., None]


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Have:
    """A function that puts programs on an otherwise empty PATH."""
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(compiler, "_own_programs", lambda: tmp_path / "venv")
    header = tmp_path / "Python.h"
    header.touch()
    monkeypatch.setattr(compiler, "_python_header", lambda: header)

    def put(*programs: str) -> None:
        monkeypatch.setattr(
            shutil, "which", lambda name: f"/usr/bin/{name}" if name in programs else None
        )

    return put


def test_all_tools_are_there(have: Have) -> None:
    have("c++", "ninja")
    finding = check_compiler()
    assert finding.status is Status.OK
    assert finding.seen.startswith("/usr/bin/c++, /usr/bin/ninja, ")


@pytest.mark.parametrize(
    ("programs", "missing"),
    [(("ninja",), "C++ compiler"), (("g++",), "ninja on PATH")],
)
def test_a_missing_tool_is_named(have: Have, programs: tuple[str, ...], missing: str) -> None:
    have(*programs)
    finding = check_compiler()
    assert finding.status is Status.WARNING
    assert finding.seen == f"no {missing}"
    assert "install" in finding.remedy


def test_ninja_is_installed_but_not_on_path(have: Have, tmp_path: Path) -> None:
    have("c++")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "ninja").touch()
    assert "to PATH, or activate" in missing_tools()["ninja on PATH"]


def test_headers_are_needed_too(have: Have, tmp_path: Path) -> None:
    have("c++", "ninja")
    (tmp_path / "Python.h").unlink()
    assert missing_tools().keys() == {"Python.h"}
