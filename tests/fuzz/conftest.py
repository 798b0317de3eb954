"""Small data for the fuzz tests, and what they print at the end."""

import importlib
import os
import platform
from pathlib import Path

import pytest
from tests.fuzz.budget import register_profiles
from tests.fuzz.invariants import cases
from tests.fuzz.small_spec import small_spec
from typer.testing import CliRunner

from mixfront.cli.app import app
from mixfront.data.synthetic.writer import write_synthetic

register_profiles()  # before pytest reads --hypothesis-profile


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 1,000 rows, with its schema.yaml."""
    folder = tmp_path_factory.mktemp("logs") / "data"
    write_synthetic(folder, 1000, 7)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _imported(logs: Path) -> None:
    """Import torch and the rest before any case is timed."""
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "MLFLOW_TRACKING_URI", "OPTUNA_STORAGE"):
        os.environ.pop(name, None)
    platform.uname().processor  # noqa: B018  (starts `uname`, which is then cached)
    importlib.import_module("matplotlib.pyplot")  # makes its cache folder
    spec = logs.parent / "spec.yaml"
    spec.write_text(small_spec(logs))
    for option in ([], ["--data", "--json"]):
        assert CliRunner().invoke(app, ["search", "validate", str(spec), *option]).exit_code == 0


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of all sandboxes."""
    return tmp_path_factory.mktemp("fuzz")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of cases of each target."""
    if cases:
        counts = ", ".join(f"{count:,} {target}" for target, count in cases.items())
        terminalreporter.write_line(f"fuzzed {cases.total():,} cases: {counts}")
