"""A KuaiRand-shaped search from its submission to a scored model, with real services."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pyarrow.parquet as pq
import pytest
from tests.cluster.command_line import CommandLine, wait_until
from tests.cluster.conftest import DATA, STORAGE, Services

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]

NAME = "kuai"
MODEL = "kuai-ranker"
TRIALS = 4
EXTENDED_BY = 1  # of them
LIMIT_S = 600  # a lane starts in half a minute on two free cores, and in minutes on busy ones
SENT = (
    *("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"),
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
)
SETTINGS = {
    "name": NAME,
    "data.path": DATA,
    "data.test": "date == 20220506",
    "storage": STORAGE,
    "space": "small",
    "search": f"{{trials: {TRIALS - EXTENDED_BY}, seed: 7, startup_trials: 9, enqueue: []}}",
    "training": "{batch_size: 128, passes: 40, evaluate_every: 0.125}",
    "trial": "{workers: 2, zero_stage: 2}",
}
LOCATIONS = ("name", "data.path", "storage")  # the settings that find a search


def submit(keys: Iterable[str], *words: str) -> tuple[str, ...]:
    """The words of `mixfront search submit` with these settings."""
    return (
        *("search", "submit", "kuairand"),
        *(word for key in keys for word in ("-o", f"{key}={SETTINGS[key]}")),
        *(word for name in SENT for word in ("--env", name)),
        *words,
    )


class Search:
    """The search, as its user sees it."""

    def __init__(self, services: Services, folder: Path) -> None:
        self.services = services
        self.folder = folder
        self.terminal = CommandLine(services.environment, folder)

    def status(self) -> dict[str, Any]:
        """What `mixfront search status` says."""
        return dict(self.terminal.json("search", "status", NAME))

    def logs(self) -> str:
        """The output of the latest job."""
        return self.terminal.run("search", "logs", NAME)

    def wait_for_job(self) -> None:
        """Wait until the latest job has ended successfully."""
        unfinished = ("PENDING", "RUNNING")
        wait_until(lambda: self.status()["job"]["status"] not in unfinished, LIMIT_S, self.logs)
        assert self.status()["job"]["status"] == "SUCCEEDED", self.logs()

    def trials(self) -> list[dict[str, Any]]:
        """What `mixfront trials` says."""
        return list(self.terminal.json("trials", NAME))

    def is_training_after_the_first(self) -> bool:
        """Whether a trial is complete and another one has been evaluated."""
        files = self.services.objects.file_system()  # a command takes seconds to start
        paths = files.glob(f"searches/mixfront/{NAME}/trials/*/record.json")
        trials = [json.loads(files.cat_file(path)) for path in paths]
        states = [trial["state"] for trial in trials]
        return "complete" in states and any(
            trial["state"] == "running" and trial["fidelity"] > 0 for trial in trials
        )


@pytest.fixture(scope="module")
def search(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Search:
    """The search: submitted, followed, stopped, resumed, finished, extended, finished again."""
    search = Search(services, tmp_path_factory.mktemp("laptop"))
    terminal = search.terminal
    shown = terminal.run(*submit(SETTINGS))
    assert f"Search {NAME!r} runs as job mixfront-{NAME} on http://" in shown
    follow_twice(search)
    assert search.status()["driver"]["is_alive"]
    wait_until(search.is_training_after_the_first, LIMIT_S, search.logs)
    assert "is stopped" in terminal.run("search", "stop", NAME)
    stopped = search.trials()
    assert search.status()["state"] == "interrupted"
    terminal.run(*submit(LOCATIONS, "--resume"))
    search.wait_for_job()
    finished = search.trials()
    assert_nothing_ran_twice(stopped, finished)
    assert search.status()["trials"] == {"complete": TRIALS - EXTENDED_BY}
    terminal.run(*submit(LOCATIONS, "--resume", "-o", f"search.trials=+{EXTENDED_BY}"))
    search.wait_for_job()
    assert_nothing_ran_twice(finished, search.trials())
    return search


def follow_twice(search: Search) -> None:
    """Follow the log live, kill the client, and connect again: the search does not notice."""
    for attempt, expected in enumerate(("3,000 train", "1 lane of 2 workers on Ray")):
        out = search.folder / f"followed-{attempt}.txt"
        client = search.terminal.follow(NAME, out)
        try:
            wait_until(lambda: expected in out.read_text(), LIMIT_S, out.read_text)  # noqa: B023
            assert client.poll() is None
        finally:
            client.kill()
            client.wait()
        assert search.status()["job"]["status"] == "RUNNING"


def assert_nothing_ran_twice(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Complete trials are unchanged, and every trial kept its configuration."""
    now = {trial["trial_id"]: trial for trial in after}
    assert "complete" in {trial["state"] for trial in before}
    for trial in before:
        assert now[trial["trial_id"]]["config"] == trial["config"]
        if trial["state"] == "complete":
            assert now[trial["trial_id"]] == trial


def test_it_finishes_with_every_trial_complete(search: Search) -> None:
    status = search.status()
    assert (status["state"], status["trials"]) == ("finished", {"complete": TRIALS})


def test_study_and_records_agree(search: Search) -> None:
    url = search.services.postgres.url("studies")
    storage = optuna.storages.RDBStorage(url)
    study = optuna.load_study(study_name=search.status()["search_id"], storage=storage)
    trials = study.get_trials()
    storage.remove_session()
    storage.engine.dispose()  # else a warning about open connections fails a later test
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * TRIALS
    values = [list(trial["values"].values()) for trial in search.trials()]
    assert [trial.values for trial in trials] == values


def test_mlflow_and_records_agree(search: Search, user: pytest.MonkeyPatch) -> None:
    assert user
    from mlflow import MlflowClient

    client = MlflowClient(search.services.mlflow.uri)
    experiment = client.get_experiment_by_name("kuairand")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.mixfront.trial_id != 'none'")
    by_trial = {run.data.tags["mixfront.trial_id"]: run for run in runs}
    assert len(runs) == len(by_trial) == TRIALS
    for trial in search.trials():
        run = by_trial[trial["trial_id"]]
        assert run.info.run_id == trial["run_id"]
        assert run.info.status == "FINISHED"
        assert run.data.metrics["auc"] == pytest.approx(trial["values"]["auc"])
        steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "auc")]
        assert len(steps) == len(set(steps)) == 8  # one per eighth of all steps


@pytest.mark.filterwarnings("ignore:.*type hint:UserWarning")  # the model takes several types
def test_its_best_model_is_promoted_and_scores_raw_rows(
    search: Search, user: pytest.MonkeyPatch
) -> None:
    assert user
    shown = search.terminal.run("promote", NAME, "--pick", "best:auc", "--name", MODEL)
    assert "Loaded back from the registry" in shown
    import mlflow

    mlflow.set_tracking_uri(search.services.mlflow.uri)
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
    path = f"{DATA.removeprefix('s3://')}/date=20220506/part-0.parquet"
    with search.services.objects.file_system().open(path) as file:
        rows = pq.read_table(file)
    scores = model.predict(rows.to_pandas())
    assert scores.shape == (len(rows),)
    assert auc(rows["is_click"].to_numpy(), scores) > 0.55


def test_no_secret_is_anywhere(search: Search, folder: Path) -> None:
    """Not in what was printed, Ray's logs and job listing, the records, or MLflow."""
    places = {"terminal": "\n".join(search.terminal.shown)}
    places["job listing"] = json.dumps(search.status())
    files = search.services.objects.file_system()
    for path in files.find("searches") + files.find("mlflow"):
        places[path] = files.cat_file(path).decode(errors="replace")
    for path in ray_files(folder):
        places[str(path)] = path.read_text(errors="replace")
    assert any("job-driver-" in place for place in places)
    found = {
        (name, place)
        for name, secret in search.services.secrets.items()
        for place, text in places.items()
        if secret in text
    }
    assert found == set()


def test_mlflow_holds_no_secret(search: Search, user: pytest.MonkeyPatch) -> None:
    assert user
    from mlflow import MlflowClient

    client = MlflowClient(search.services.mlflow.uri)
    experiment = client.get_experiment_by_name("kuairand")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    text = json.dumps([[run.data.params, run.data.tags] for run in runs])
    found = [name for name, secret in search.services.secrets.items() if secret in text]
    assert len(runs) == TRIALS + 1
    assert found == []


@pytest.fixture
def user(search: Search, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This process has the variables of the user."""
    for name, value in search.services.environment.items():
        if name.startswith(("AWS_", "MLFLOW_")):
            monkeypatch.setenv(name, value)
    return monkeypatch


def ray_files(folder: Path) -> list[Path]:
    """Ray's logs and events; not the private file by which a job gets its variables."""
    found = [path for path in (folder / "ray").rglob("*") if path.is_file()]
    return [path for path in found if path.name != "environment.json"]


def auc(clicks: Any, scores: Any) -> float:
    """The share of pairs of a click and a non-click that are in the right order."""
    positive, negative = scores[clicks == 1], scores[clicks == 0]
    return float(np.mean(positive[:, None] > negative[None, :]))
