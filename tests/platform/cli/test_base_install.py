"""The commands of the base package, without the packages of the extras.

The tests use a process in which those packages cannot be imported, because a real installation
takes a minute; `tests/integration/test_base_install.py` makes one.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import typer.main
from tests.missing_modules import run_without
from tests.platform.cli.jobs_server import LOG, jobs_server

from mixfront.cli.app import app
from mixfront.installation.extras import EXTRAS
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective

MISSING = EXTRAS.keys() - {"PIL", "filelock"}  # the base gets these from matplotlib and Ray
SLOW = ("torch", "ray", "mlflow", "optuna", "pandas", "pyarrow")  # slow to import

# Runs all command lines in one process, as starting a process takes longer than most of them.
_RUN = """
import contextlib, io, json
from mixfront.cli.app import main

def run(words):
    out, err, status = io.StringIO(), io.StringIO(), 0
    sys.argv = ["mixfront", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
    return {"status": status, "out": out.getvalue(), "err": err.getvalue()}

results = [run(words) for words in json.loads(sys.argv[1])]
print(json.dumps({"results": results, "modules": sorted(sys.modules)}))
"""


def mixfront(
    commands: list[list[str]], environment: Mapping[str, str] | None = None
) -> tuple[list[dict[str, str | int]], set[str]]:
    """The result of each command line, and the modules that they imported."""
    done = run_without(
        MISSING, _RUN, json.dumps(commands), environment=os.environ | dict(environment or {})
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    return report["results"], set(report["modules"])


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """A storage with one finished search of three trials."""
    record = SearchRecord(
        search_id="clicks-1",
        name="clicks",
        spec={},
        objectives=[
            Objective(metric="auc", direction="max"),
            Objective(metric="flops", direction="min"),
        ],
        reference_point=[0.5, 12.0],
        optuna_storage="",
        tracking_uri="",
        experiment="",
        state="finished",
    )
    store = RecordStore(str(tmp_path), "clicks")
    store.create(record)
    for number, (auc, flops) in enumerate([(0.7, 1e9), (0.75, 1e10), (0.6, 1e10)]):
        trial = TrialRecord(
            trial_id=str(number),
            family="unimixer",
            config={"rank": 4},
            state=TrialState.COMPLETE,
            values={"auc": auc, "flops": flops},
        )
        store.save_trial(trial)
    return tmp_path


@pytest.fixture
def cluster() -> Iterator[Mapping[str, str]]:
    """The environment variables of a fake Ray cluster."""
    with jobs_server() as url:
        yield {"RAY_API_SERVER_ADDRESS": url, "RAY_AUTH_MODE": "disabled"}


def test_reading_results(storage: Path) -> None:
    place = ["--storage", str(storage)]
    page, picture = storage / "front.html", storage / "front.svg"
    commands = [
        ["search", "list", *place],
        ["search", "list", *place, "--json"],
        ["search", "status", "clicks", *place],
        ["trials", "clicks", *place],
        ["trials", "clicks", *place, "--json"],
        ["pareto", "clicks", *place],
        ["pareto", "clicks", *place, "--json"],
        ["pareto", "clicks", *place, "--html", str(page), "--picture", str(picture)],
    ]
    results, _ = mixfront(commands)
    assert [result["err"] for result in results] == [""] * len(commands)
    assert [result["status"] for result in results] == [0] * len(commands)
    front = json.loads(str(results[6]["out"]))["front"]
    assert [member["trial_id"] for member in front] == ["1", "0"]
    assert page.read_text().startswith("<!doctype html>")
    assert picture.read_text().startswith("<?xml")


def test_searches_on_a_cluster(cluster: Mapping[str, str], tmp_path: Path) -> None:
    spec = ["demo", "--shared-filesystem", "-o", "data.path=s3://logs/clicks"]
    commands = [
        ["search", "submit", *spec, "--json"],
        ["search", "status", "demo", "--json"],
        ["search", "logs", "demo"],
        ["search", "logs", "demo", "--follow"],
        ["search", "stop", "demo"],
    ]
    results, _ = mixfront(commands, {**cluster, "MIXFRONT_STORAGE": str(tmp_path)})
    assert [result["err"] for result in results] == [""] * len(commands)
    submitted, status, logs, followed, stopped = (str(result["out"]) for result in results)
    assert json.loads(submitted)["submission_id"] == "mixfront-demo"
    assert json.loads(status)["job"]["status"] == "RUNNING"
    assert logs == followed == LOG
    assert stopped == "Job mixfront-demo is stopped.\n"


def test_stopping_a_search_that_is_not_running(storage: Path) -> None:
    [result], _ = mixfront([["search", "stop", "clicks", "--storage", str(storage)]])
    assert result["status"] == 2
    assert "is not running" in str(result["err"])


@pytest.mark.parametrize(
    "words",
    [
        ["search", "run", "demo", "-o", "data.path=s3://logs"],
        ["search", "validate", "demo"],
        ["train", "demo", "-o", "data.path=s3://logs"],
        ["families"],
        ["cost", "unimixer"],
        ["data", "inspect", "logs"],
    ],
)
def test_other_commands_name_the_extra(words: list[str]) -> None:
    [result], _ = mixfront([words])
    name = " ".join(words[: 2 if words[0] in ("search", "data") else 1])
    assert result["status"] == 1
    assert str(result["err"]).startswith(
        f"mixfront: `mixfront {name}` needs mixfront[all]: pip install 'mixfront[all]' (the module"
    )
    assert str(result["err"]).count("\n") == 1


def test_help_imports_nothing_slow() -> None:
    commands = [[*names, "--help"] for names in _command_names()]
    assert len(commands) > 15
    results, modules = mixfront(commands)
    assert [result["status"] for result in results] == [0] * len(commands)
    assert [m for m in SLOW if m in modules] == []


def test_import_of_the_library_imports_nothing_slow() -> None:
    code = f"import mixfront.search; print([m for m in {SLOW} if m in sys.modules])"
    assert run_without((), code).stdout == "[]\n"


def _command_names() -> list[list[str]]:
    group = typer.main.get_group(app)
    inner = {name: getattr(command, "commands", {}) for name, command in group.commands.items()}
    return [[], *([name] for name in inner), *([n, leaf] for n in inner for leaf in inner[n])]
