"""Killing parts of a search loses no completed trial and leaves every trial in its true state."""

import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from tests.integration.running_search import (
    NAME,
    complete,
    environment,
    in_the_middle,
    running,
)

from mixfront.records import RecordStore, TrialRecord, TrialState
from mixfront.tracking.client import connect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TRIALS = 3
PROMPT_S = 15


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "logs"
    command = [sys.executable, "-m", "mixfront.cli", "data", "synth", str(folder)]
    subprocess.run([*command, "--rows", "8000", "--seed", "3"], check=True, capture_output=True)
    return folder


def run_words(data: Path) -> list[str]:
    settings = {
        "name": NAME,
        "data.path": str(data),
        "data.schema": str(data / "schema.yaml"),
        "search.trials": str(TRIALS),
        "search.enqueue": "[]",
        "training": "{passes: 4, batch_size: 64, evaluate_every: 0.125}",
        "trial": "{workers: 2, zero_stage: 2, collective_timeout_s: 30}",
    }
    return [
        "run",
        "demo",
        *(w for key, value in settings.items() for w in ("-o", f"{key}={value}")),
    ]


def test_a_search_survives_ctrl_c_and_kills(data: Path, tmp_path: Path) -> None:
    """Ctrl-C; then a killed worker, a killed controller and a killed driver; then its end."""
    with running(tmp_path, *run_words(data)) as first:
        first.wait_until(lambda trials: complete(trials) >= 1 and in_the_middle(trials))
        assert first.interrupt() < PROMPT_S
        assert f"mixfront search resume {NAME}" in first.text()
        before = first.trials()
    assert TrialState.INTERRUPTED in {trial.state for trial in before}
    with running(tmp_path, "resume", NAME) as second:
        second.wait_until(lambda trials: fidelity(trials) > fidelity(before))
        second.kill_one("RayTrainWorker")
        second.wait_until(lambda trials: attempts(trials) == 1 and in_the_middle(trials))
        second.kill_one("TrainController")
        second.wait_until(
            lambda trials: (
                attempts(trials) == 2
                and complete(trials) > complete(before)
                and in_the_middle(trials)
            )
        )
        second.kill_driver()
        middle = second.trials()
    with running(tmp_path, "resume", NAME) as third:
        after = third.finish()
    assert_nothing_ran_twice(before, after)
    assert_nothing_ran_twice(middle, after)
    assert attempts(after) == attempts(middle)
    assert_all_agree(tmp_path, after)


def fidelity(trials: list[TrialRecord]) -> float:
    """Trained shares of all trials together."""
    return sum(trial.fidelity for trial in trials)


def attempts(trials: list[TrialRecord]) -> int:
    """How many worker groups died in all trials together."""
    return sum(trial.attempts for trial in trials)


def assert_nothing_ran_twice(before: list[TrialRecord], after: list[TrialRecord]) -> None:
    """Finished trials are unchanged, and the others continued under their own ids."""
    now = {trial.trial_id: trial for trial in after}
    for trial in before:
        if trial.state.is_finished:
            assert now[trial.trial_id].ended == trial.ended
            assert now[trial.trial_id].values == trial.values
        assert now[trial.trial_id].config == trial.config


def assert_all_agree(folder: Path, trials: list[TrialRecord]) -> None:
    """Records, study and MLflow agree, and the budget was kept."""
    search = RecordStore(str(folder / "searches"), NAME).search()
    assert search.state == "finished"
    assert len(trials) == TRIALS
    assert all(trial.state is TrialState.COMPLETE for trial in trials)
    study = optuna.load_study(study_name=search.search_id, storage=search.optuna_storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * TRIALS
    assert [t.values for t in study.trials] == [list(t.values.values()) for t in trials]
    assert_mlflow_agrees(f"sqlite:///{folder}/mlflow.db", trials)


def assert_mlflow_agrees(uri: str, trials: list[TrialRecord]) -> None:
    """One finished run per trial, with every evaluation."""
    client = connect(uri)
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.mixfront.trial_id != 'none'")
    by_trial = {run.data.tags["mixfront.trial_id"]: run for run in runs}
    assert len(runs) == len(by_trial) == len(trials)
    for trial in trials:
        run = by_trial[trial.trial_id]
        assert run.info.run_id == trial.run_id
        assert run.info.status == "FINISHED"
        assert run.data.metrics["auc"] == pytest.approx(trial.metrics["auc"])
        steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "auc")]
        assert len(steps) == len(set(steps)) == 8  # one per eighth of all steps
        pictures = {file.path for file in client.list_artifacts(run.info.run_id, "mixing")}
        assert ("mixing/sparsity.png" in pictures) == trial.family.startswith("unimixer")


def test_an_existing_name_is_rejected(data: Path, tmp_path: Path) -> None:
    RecordStore(str(tmp_path / "searches"), NAME)
    (tmp_path / "searches" / NAME).mkdir(parents=True)
    (tmp_path / "searches" / NAME / "search.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-m", "mixfront.cli", "search", *run_words(data)],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert f"a search named '{NAME}' already exists" in done.stderr
    assert done.stderr.count(os.linesep) == 1
