"""`mixfront doctor`."""

import json
from collections.abc import Callable, Iterator

import pytest
import typer
from typer.testing import CliRunner

from mixfront.cli import doctor as command
from mixfront.doctor import examine as module
from mixfront.doctor.examine import CheckResult
from mixfront.doctor.finding import Status

FINE = CheckResult(name="packages", status=Status.OK, seen="torch 2.13.0", remedy="")
SLOW = CheckResult(name="bf16", status=Status.WARNING, seen="emulated [sic]", remedy="use fp32")
DEAD = CheckResult(name="mlflow", status=Status.FAILED, seen="no answer", remedy="start it")

Find = Callable[..., None]


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    command.register(app)
    return app


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Find:
    """A function that makes the checks return given results."""

    def replace(*results: CheckResult) -> None:
        def examine(timeout: float) -> Iterator[CheckResult]:
            assert timeout == 10
            return iter(results)

        monkeypatch.setattr(module, "examine", examine)

    return replace


def test_without_a_failure(app: typer.Typer, find: Find) -> None:
    find(FINE, SLOW)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.output.splitlines()] == [
        ["ok", "packages", "torch", "2.13.0"],
        ["warning", "bf16", "emulated", "[sic]"],
        ["to", "fix", "it:", "use", "fp32"],
    ]


def test_a_failure_sets_the_exit_status(app: typer.Typer, find: Find) -> None:
    find(FINE, DEAD)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert "to fix it: start it" in result.output


def test_json(app: typer.Typer, find: Find) -> None:
    find(FINE, DEAD)
    result = CliRunner().invoke(app, ["--json"])
    assert result.exit_code == 1
    assert json.loads(result.output) == [
        {"name": "packages", "status": "ok", "seen": "torch 2.13.0", "remedy": ""},
        {"name": "mlflow", "status": "failed", "seen": "no answer", "remedy": "start it"},
    ]
