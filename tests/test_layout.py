"""The layout of the source tree: packages, files per folder, and where tests are."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = ["platform", "search_spaces", "workers", "dashboards"]
MAX_FILES = 24  # per folder; one with more files covers more than one topic
MIRRORED = 0.9  # share of test files whose path mirrors that of their module


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


def test_no_folder_is_too_full() -> None:
    files = [path for root in SOURCE_ROOTS for path in (ROOT / root).rglob("*.py")]
    counts = Counter(path.parent for path in files if path.parent.name != "families")
    full = {str(folder): count for folder, count in counts.items() if count > MAX_FILES}
    assert full == {}


def test_tests_mirror_their_modules() -> None:
    tests = {
        path: ROOT / root / "mixfront" / path.relative_to(ROOT / "tests" / root)
        for root in SOURCE_ROOTS
        for path in (ROOT / "tests" / root).rglob("test_*.py")
    }
    stray = [
        str(test.relative_to(ROOT))
        for test, module in tests.items()
        if not module.with_name(module.name.removeprefix("test_")).exists()
    ]
    assert len(stray) <= (1 - MIRRORED) * len(tests), stray
