"""The names of commands are fixed, and errors are one sentence."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from mixfront.cli import app as command_line
from mixfront.exceptions import SpecError, UsageError

COMMANDS = {
    "cluster",
    "data", "families", "cost", "train", "search", "trials", "pareto", "reproduce", "promote",
    "rollback", "doctor",
}  # fmt: skip
SEARCH_COMMANDS = {"validate", "run", "submit", "status", "logs", "stop", "resume", "list"}


def test_names_are_fixed() -> None:
    group = typer.main.get_group(command_line.app)
    assert set(group.commands) == COMMANDS
    assert set(group.commands["search"].commands) == SEARCH_COMMANDS  # type: ignore[attr-defined]
    assert set(group.commands["data"].commands) == {"synth", "inspect"}  # type: ignore[attr-defined]
    assert set(group.commands["cluster"].commands) == {"manifest"}  # type: ignore[attr-defined]
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
    "words",
    [
        ["data", "synth", "é" * 200],
        ["search", "resume", "é" * 200, "--storage", "."],
        ["trials", "x" * 300, "--storage", "."],
    ],
)
def test_a_name_that_no_file_may_have_is_one_sentence(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command_line.app, words)
    assert isinstance(result.exception, UsageError)
    assert str(result.exception).endswith("File name too long; use a shorter name")


def test_a_name_with_a_null_byte_is_one_sentence() -> None:
    result = CliRunner().invoke(command_line.app, ["trials", "a\0b"])
    assert isinstance(result.exception, UsageError)


def test_a_negative_seed_is_refused(tmp_path: Path) -> None:
    words = ["data", "synth", str(tmp_path / "data"), "--seed", "-1"]
    assert CliRunner().invoke(command_line.app, words).exit_code == 2
    assert not (tmp_path / "data").exists()


def test_other_errors_of_the_file_system_keep_their_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "a file of mixfront")

    monkeypatch.setattr("mixfront.records.locate_search", fail)
    result = CliRunner().invoke(command_line.app, ["trials", "demo"])
    assert isinstance(result.exception, FileNotFoundError)


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


def test_any_other_error_is_one_sentence_and_a_private_file_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail() -> None:
        raise TimeoutError("node at s3://me:secret@store timed out\nmore lines")

    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path))
    monkeypatch.delenv("MIXFRONT_DEBUG", raising=False)
    monkeypatch.setattr(command_line, "app", fail)
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    assert ended.value.code == 1
    (log,) = (tmp_path / "logs").iterdir()
    assert capsys.readouterr().err == (
        "mixfront: unexpected error: TimeoutError: node at s3://***@store timed out; its "
        f"traceback is in {log}, and `mixfront --debug ...` shows it\n"
    )
    text = log.read_text()
    assert "Traceback" in text
    assert "raise TimeoutError" in text
    assert "secret" not in text.replace("me:secret@store timed out\\n", "")
    assert log.stat().st_mode & 0o777 == 0o600


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    code = "from mixfront.records import store; del store.list_searches\n" + (
        "from mixfront.cli.app import main; main()"
    )
    words = ["--debug", "search", "list", "--storage", str(tmp_path)]
    env = os.environ | {"MIXFRONT_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=env
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("mixfront: unexpected error: ImportError")
