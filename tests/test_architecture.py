"""Every path and symbol that docs/architecture.md names exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py):(\w+)`", PAGE)))
FOLDERS = sorted(set(re.findall(r"`((?:platform|workers|search_spaces)/[\w/]+/)`", PAGE)))


def defined_in(path: Path) -> set[str]:
    """Names that a module defines at its top level."""
    body = ast.parse(path.read_text("utf-8")).body
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in body if isinstance(node, kinds)}


def test_the_page_names_something() -> None:
    assert len(NAMED) > 20
    assert len(FOLDERS) == 3


@pytest.mark.parametrize(("path", "symbol"), NAMED)
def test_symbols_are_where_the_page_says(path: str, symbol: str) -> None:
    assert symbol in defined_in(ROOT / path)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_sub_package_is_on_the_page(folder: str) -> None:
    packages = {path.name for path in (ROOT / folder).iterdir() if (path / "py.typed").exists()}
    assert {name for name in packages if f"`{name}`" not in PAGE} == set()


def test_every_single_file_is_on_the_page() -> None:
    files = {path.stem for folder in FOLDERS for path in (ROOT / folder).glob("*.py")}
    assert {name for name in files if f"`{name}`" not in PAGE} == set()
