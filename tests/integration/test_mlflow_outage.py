"""A real MLflow server that goes down and comes back, and a driver that is killed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from tests.integration.mlflow_server import Server

from mixfront.exceptions import TrackingError
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective
from mixfront.tracking import MlflowWriter, check_reachable
from mixfront.tracking.spool import Spool

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture
def search(server: Server, request: pytest.FixtureRequest) -> SearchRecord:
    return SearchRecord(
        search_id=f"{request.node.name}-1a2b3c4d",
        name="outage",
        spec={"name": "outage", "data": {"path": "/data"}},
        objectives=[Objective(metric="auc", direction="max")],
        reference_point=[0.5],
        optuna_storage="",
        tracking_uri=server.uri,
        experiment=request.node.name,
        dataset_digest="d1",
    )


@pytest.fixture
def store(search: SearchRecord, tmp_path: Path) -> RecordStore:
    store = RecordStore(str(tmp_path / "searches"), "outage")
    store.create(search)
    return store


def run_trials(writer: MlflowWriter, numbers: range) -> None:
    """Log trials with three evaluations each, and the front after each trial."""
    for number in numbers:
        trial = TrialRecord(trial_id=str(number), family="unimixer", config={"rank": number})
        writer.open_trial(trial)
        for step in (1, 2, 3):
            writer.log_evaluation(trial, step, {"auc": number + step / 10, "logloss": 0.5})
        trial.state = TrialState.COMPLETE
        writer.close_trial(trial)
        front = {"front": [str(number)]}
        writer.log_front(front, {str(number): 0}, step=number + 1, hypervolume=float(number))


def runs_of(client: MlflowClient, search: SearchRecord) -> dict[str, Run]:
    """Runs by trial id, the search's own under ""; fails if a run was created twice."""
    experiment = client.get_experiment_by_name(search.experiment)
    assert experiment is not None
    all_runs = client.search_runs([experiment.experiment_id], max_results=1000)
    runs = {run.data.tags.get("mixfront.trial_id", ""): run for run in all_runs}
    assert len(runs) == len(all_runs)
    return runs


def check_trials(client: MlflowClient, runs: dict[str, Run], numbers: range) -> None:
    """Check that nothing is missing or logged twice."""
    for number in numbers:
        run = runs[str(number)]
        history = client.get_metric_history(run.info.run_id, "auc")
        expected = [(step, number + step / 10) for step in (1, 2, 3)]
        assert [(metric.step, metric.value) for metric in history] == expected
        assert run.info.status == "FINISHED"
        assert run.data.params["rank"] == str(number)
        assert run.data.tags["mlflow.parentRunId"] == runs[""].info.run_id
        assert run.data.tags["pareto.rank"] == "0"
    volumes = client.get_metric_history(runs[""].info.run_id, "hypervolume")
    assert sorted(metric.step for metric in volumes) == [number + 1 for number in numbers]


DRIVER = """
import itertools, sys
from mixfront.records import RecordStore, TrialRecord, TrialState
from mixfront.tracking import MlflowWriter
store = RecordStore(sys.argv[1], "outage")
writer = MlflowWriter(store.search(), store)
writer.open_search()
for number in itertools.count():
    trial = TrialRecord(trial_id=str(number), family="unimixer", config={"rank": number})
    writer.open_trial(trial)
    for step in (1, 2, 3):
        writer.log_evaluation(trial, step, {"auc": number + step / 10, "logloss": 0.5})
    trial.state = TrialState.COMPLETE
    writer.close_trial(trial)
    writer.log_front({"front": [number]}, {str(number): 0}, step=number + 1, hypervolume=number)
    print(number, flush=True)
    writer.flush(0.05)
"""


def test_the_spool_of_a_killed_driver_is_delivered_once(
    server: Server, search: SearchRecord, store: RecordStore
) -> None:
    storage = store.url.rsplit("/", 1)[0]
    command = [sys.executable, "-c", DRIVER, storage]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        spool = Spool(f"{store.url}/spool")
        while spool.delivered().through == 0:  # until the driver has begun to deliver
            assert driver.stdout.readline()
        driver.kill()
        last_printed = int(["-1", *driver.stdout.read().split()][-1])
    last = max(int(note.trial_id or 0) for note in spool.replay())
    assert last >= last_printed
    writer = MlflowWriter(search, store)
    # The resumed search repeats what the kill cut off of the last trial.
    run_trials(writer, range(last, last + 2))
    assert writer.close(timeout=120)
    client = MlflowClient(tracking_uri=server.uri)
    runs = runs_of(client, search)
    numbers = range(last + 2)
    assert runs.keys() == {"", *map(str, numbers)}
    check_trials(client, runs, numbers)


def test_nothing_is_lost_while_the_server_is_down(
    server: Server,
    search: SearchRecord,
    store: RecordStore,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    check_reachable(server.uri, search.experiment)
    writer = MlflowWriter(search, store, pages=lambda: {"front.html": "<html>the front</html>"})
    writer.open_search()
    run_trials(writer, range(3))
    server.kill()
    with pytest.raises(TrackingError, match="cannot be used"):
        check_reachable(server.uri)
    run_trials(writer, range(3, 12))
    assert not writer.flush(timeout=2)
    server.start()
    assert writer.flush(timeout=120)
    run_trials(writer, range(12, 14))
    search.state = "finished"
    assert writer.close(search, timeout=120)
    client = MlflowClient(tracking_uri=server.uri)
    runs = runs_of(client, search)
    assert runs.keys() == {"", *map(str, range(14))}
    check_trials(client, runs, range(14))
    assert runs[""].info.status == "FINISHED"
    folder = client.download_artifacts(runs[""].info.run_id, "", str(tmp_path))
    assert (Path(folder) / "front.html").read_text() == "<html>the front</html>"
    assert '"13"' in (Path(folder) / "front.json").read_text()
    assert "MLflow is reachable again" in caplog.text
    assert "View run" not in capfd.readouterr().out
