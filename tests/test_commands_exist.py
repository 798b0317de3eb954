"""Every command that a message, the README or a document names exists."""

import re
from pathlib import Path

import pytest
import typer.main

from mixfront.cli.app import app

ROOT = Path(__file__).parents[1]
FILES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "infra").rglob("*.py")),
    *(f for root in ("platform", "search_spaces", "workers") for f in (ROOT / root).rglob("*.py")),
    *sorted((ROOT / "search_spaces").rglob("*.yaml")),
]
NAMED = re.compile(r"mixfront (?:--debug )?([a-z]+)(?: ([a-z]+))?")
# Words that follow `mixfront` in a sentence and are not commands.
PROSE = {
    "and",
    "are",
    "brings",
    "came",
    "can",
    "cannot",
    "expects",
    "first",
    "for",
    "from",
    "has",
    "here",
    "is",
    "itself",
    "keeps",
    "may",
    "needs",
    "of",
    "on",
    "or",
    "raises",
    "runs",
    "searches",
    "that",
    "was",
    "will",
    "with",
    "writes",
}


def commands() -> dict[str, set[str]]:
    """Command -> its sub-commands, if any."""
    group = typer.main.get_group(app)
    return {name: set(getattr(c, "commands", {})) for name, c in group.commands.items()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_named_exists(path: Path) -> None:
    known = commands()
    for first, second in NAMED.findall(path.read_text("utf-8")):
        if first in PROSE:
            continue
        assert first in known, f"{path}: there is no `mixfront {first}`"
        if known[first] and second:
            assert second in known[first], f"{path}: there is no `mixfront {first} {second}`"


def test_the_test_can_fail() -> None:
    assert NAMED.findall("train it with `mixfront reproduce-it` or mixfront search stopp X") == [
        ("reproduce", ""),
        ("search", "stopp"),
    ]
    assert "stopp" not in commands()["search"]
