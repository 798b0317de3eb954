"""The base package in an environment of its own, installed as a user would."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with a wheel of mixfront and its base packages."""
    folder = tmp_path_factory.mktemp("base")
    _pip("wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}", str(ROOT))
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    pins = f"--constraint={ROOT / 'constraints.txt'}"
    _pip("--python", str(python), "install", "--no-compile", pins, str(wheel))
    return python


@pytest.fixture
def mixfront(python: Path, tmp_path: Path) -> Run:
    """Run a command line of that environment, with nothing of this one around it."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "RAY_", "MIXFRONT"))
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(python.with_name("mixfront")), *words]
        return subprocess.run(
            command, cwd=tmp_path, env=kept, capture_output=True, text=True, check=False
        )

    return run


def test_torch_is_absent(python: Path) -> None:
    code = "import importlib.util as u; print([n for n in {} if u.find_spec(n)])"
    names = ("torch", "deepspeed", "optuna", "mlflow", "pandas", "pyarrow", "aiohttp_cors")
    done = subprocess.run(
        [str(python), "-c", code.format(names)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_reading_a_search(mixfront: Run, tmp_path: Path) -> None:
    _write_search(tmp_path / "searches")
    place = ("--storage", str(tmp_path / "searches"))
    assert "submit" in _output(mixfront("search", "--help"))
    assert "promote" in _output(mixfront("--help"))
    [listed] = json.loads(_output(mixfront("search", "list", *place, "--json")))
    assert listed["complete"] == 1
    [trial] = json.loads(_output(mixfront("trials", "clicks", *place, "--json")))
    assert trial["values"] == {"auc": 0.7, "flops": 1e9}
    front = json.loads(_output(mixfront("pareto", "clicks", *place, "--json")))
    assert [member["trial_id"] for member in front["front"]] == ["0"]
    _output(mixfront("pareto", "clicks", *place, "--html", "f.html", "--picture", "f.png"))
    assert (tmp_path / "f.html").stat().st_size > 10_000
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_running_a_search_names_the_extra(mixfront: Run) -> None:
    done = mixfront("search", "run", "demo", "-o", "data.path=logs")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "mixfront: `mixfront search run` needs mixfront[all]: pip install 'mixfront[all]'"
    )
    assert done.stderr.count("\n") == 1


def _output(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _write_search(storage: Path) -> None:
    objectives = [
        Objective(metric="auc", direction="max"),
        Objective(metric="flops", direction="min"),
    ]
    record = SearchRecord(
        search_id="clicks-1",
        name="clicks",
        spec={},
        objectives=objectives,
        reference_point=[0.5, 12.0],
        optuna_storage="",
        tracking_uri="",
        experiment="",
        state="finished",
    )
    store = RecordStore(str(storage), "clicks")
    store.create(record)
    trial = TrialRecord(
        trial_id="0",
        family="unimixer",
        config={"rank": 4},
        state=TrialState.COMPLETE,
        values={"auc": 0.7, "flops": 1e9},
    )
    store.save_trial(trial)
