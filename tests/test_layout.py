"""The folder platform/ must never shadow the standard library."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = ["platform", "search_spaces", "workers", "dashboards"]


def test_stdlib_platform_wins_at_the_root() -> None:
    code = "import platform; platform.system()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("root", SOURCE_ROOTS)
def test_source_roots_are_not_packages(root: str) -> None:
    assert not (ROOT / root / "__init__.py").exists()
    assert not (ROOT / root / "mixfront" / "__init__.py").exists()


def test_tests_are_not_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


@pytest.mark.parametrize("root", SOURCE_ROOTS)
def test_every_sub_package_is_typed(root: str) -> None:
    folders = [path for path in (ROOT / root / "mixfront").glob("*") if path.is_dir()]
    untyped = [f for f in folders if f.name != "__pycache__" and not (f / "py.typed").exists()]
    assert untyped == []
