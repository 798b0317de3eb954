"""The command line is a contract: its names stay, its mistakes are one sentence."""

import subprocess
import sys

import pytest
import typer.main

from mixfront.cli import app as command_line
from mixfront.exceptions import SpecError

COMMANDS = {"data", "families", "cost", "search", "trials", "pareto", "promote", "rollback"}
SEARCH_COMMANDS = {"validate", "run", "submit", "status", "logs", "stop", "resume", "list"}


def test_names_are_fixed() -> None:
    group = typer.main.get_group(command_line.app)
    assert set(group.commands) == COMMANDS
    assert set(group.commands["search"].commands) == SEARCH_COMMANDS  # type: ignore[attr-defined]
    assert set(group.commands["data"].commands) == {"synth", "inspect"}  # type: ignore[attr-defined]


def test_every_command_has_help_with_an_example() -> None:
    group = typer.main.get_group(command_line.app)
    leaves = [
        leaf
        for command in group.commands.values()
        for leaf in getattr(command, "commands", {"": command}).values()
    ]
    assert len(leaves) > len(COMMANDS)
    assert [leaf.name for leaf in leaves if "Example: " not in (leaf.help or "")] == []


def test_a_users_mistake_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise SpecError("the value 3 is wrong; write 4")

    monkeypatch.setattr(command_line, "app", fail)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "mixfront: the value 3 is wrong; write 4\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; import mixfront.cli.app; "
        "print([m for m in ('torch', 'ray', 'mlflow', 'deepspeed', 'optuna') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
