"""The command line is a contract: its names stay, its mistakes are one sentence."""

import sys

import pytest
import typer.main

from mixfront.cli import app as command_line
from mixfront.exceptions import SpecError

COMMANDS = {
    "data",
    "families",
    "cost",
    "search",
    "trials",
    "pareto",
    "promote",
    "rollback",
    "doctor",
}
SEARCH_COMMANDS = {"validate", "run", "submit", "status", "logs", "stop", "resume", "list"}


def test_names_are_fixed() -> None:
    group = typer.main.get_group(command_line.app)
    assert set(group.commands) == COMMANDS
    assert set(group.commands["search"].commands) == SEARCH_COMMANDS  # type: ignore[attr-defined]
    assert set(group.commands["data"].commands) == {"synth", "inspect"}  # type: ignore[attr-defined]
    groups = {name for name, command in group.commands.items() if hasattr(command, "commands")}
    assert groups == set(command_line.GROUPS)


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


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["search", "run", "demo", "-o", "x=1"], ["search", "run"]),
        (["--debug", "data", "synth", "out"], ["data", "synth"]),
        (["trials", "demo"], ["trials"]),
        (["search"], ["search"]),
        ([], []),
    ],
)
def test_the_command_is_found_among_the_words(words: list[str], command: list[str]) -> None:
    assert command_line.command_in(words) == command


def test_a_missing_package_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(command_line, "app", fail)
    monkeypatch.setattr(sys, "argv", ["mixfront", "search", "run", "demo"])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "mixfront: `mixfront search run` needs mixfront[all]: pip install 'mixfront[all]' "
        "(the module 'torch' is not installed)\n"
    )
