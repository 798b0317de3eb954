"""The writer, from records to runs in a real SQLite store."""

import json
import time
from pathlib import Path

import pandas
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from mixfront.records import Extension, RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.tracking import MlflowWriter
from mixfront.tracking.client import connect
from mixfront.tracking.refused import REFUSED_FILE, refused_table

FRONT = {"search_id": "demo", "front": [{"trial_id": "0"}]}


@pytest.fixture
def client(tracking_uri: str) -> MlflowClient:
    return connect(tracking_uri)


def run_search(writer: MlflowWriter, trial: TrialRecord) -> None:
    """Log one trial with two evaluations, and its front."""
    writer.open_search({"family": ["unimixer"]})
    writer.open_trial(trial)
    for step in (10, 20):
        writer.log_evaluation(trial, step, {"auc": step / 100, "logloss": 0.5})
    trial.state, trial.fidelity = TrialState.COMPLETE, 1.0
    writer.close_trial(trial)
    writer.log_front(FRONT, {"0": 0}, step=1, hypervolume=0.4, description="| trial |")


def run_of(client: MlflowClient, writer: MlflowWriter, trial_id: str | None = None) -> Run:
    run_id = writer.run_id(trial_id)
    assert run_id is not None
    return client.get_run(run_id)


def test_a_search_and_its_trial_become_runs(
    client: MlflowClient, search: SearchRecord, store: RecordStore, trial: TrialRecord
) -> None:
    runs: dict[str | None, str] = {}
    writer = MlflowWriter(
        search, store, on_run=runs.__setitem__, pages=lambda: {"front.html": "<html>"}
    )
    run_search(writer, trial)
    search.state = "finished"
    assert writer.close(search)
    parent, child = run_of(client, writer), run_of(client, writer, "0")
    assert runs == {None: parent.info.run_id, "0": child.info.run_id}
    assert (parent.info.status, child.info.status) == ("FINISHED", "FINISHED")
    assert parent.data.metrics == {"hypervolume": 0.4}
    assert child.data.tags["pareto.rank"] == "0"
    assert child.data.tags["mixfront.state"] == "complete"
    assert child.data.params["optimizer.lr"] == "0.001"
    auc = client.get_metric_history(child.info.run_id, "auc")
    assert [(metric.step, metric.value) for metric in auc] == [(10, 0.1), (20, 0.2)]
    folder = Path(parent.info.artifact_uri.removeprefix("file://"))
    assert {file.name for file in folder.iterdir()} == {
        "environment.json",
        "front.html",
        "front.json",
        "space.yaml",
        "spec.yaml",
    }
    assert json.loads((folder / "front.json").read_text()) == FRONT


def test_a_second_writer_logs_nothing_twice(
    client: MlflowClient, search: SearchRecord, store: RecordStore, trial: TrialRecord
) -> None:
    for _ in range(2):
        writer = MlflowWriter(search, store)
        run_search(writer, trial)
        assert writer.close(search)
    child = run_of(client, writer, "0")
    assert len(client.get_metric_history(child.info.run_id, "auc")) == 2
    assert len(client.get_metric_history(child.info.run_id, "flops")) == 1
    assert len(client.get_metric_history(run_of(client, writer).info.run_id, "hypervolume")) == 1


@pytest.mark.parametrize("lost", [range(1), range(1, 2), range(2, 4), range(5, 7), range(7)])
def test_nothing_is_logged_twice_after_the_spool_has_lost_what_mlflow_has(
    lost: range,
    client: MlflowClient,
    search: SearchRecord,
    store: RecordStore,
    trial: TrialRecord,
) -> None:
    writer = MlflowWriter(search, store)
    run_search(writer, trial)
    assert writer.close()
    [segment] = Path(store.url).glob("spool/*.jsonl")
    lines = segment.read_text().splitlines()
    for number in lost:
        lines[number] = "damaged"
    segment.write_text("\n".join(lines) + "\n")
    second = MlflowWriter(search, store)
    run_search(second, trial)
    second.log_evaluation(trial, 30, {"auc": 0.3})
    assert second.close(search)
    parent, child = run_of(client, second), run_of(client, second, "0")
    auc = client.get_metric_history(child.info.run_id, "auc")
    assert sorted(metric.step for metric in auc) == [10, 20, 30]
    for key in ("flops", "logloss"):
        steps = [metric.step for metric in client.get_metric_history(child.info.run_id, key)]
        assert len(steps) == len(set(steps))
    assert len(client.get_metric_history(parent.info.run_id, "hypervolume")) == 1
    assert (parent.info.status, child.info.status) == ("RUNNING", "FINISHED")


def test_updates_that_a_killed_driver_left_in_the_spool_are_delivered(
    client: MlflowClient,
    search: SearchRecord,
    store: RecordStore,
    trial: TrialRecord,
    tmp_path: Path,
) -> None:
    (tmp_path / "blocked").write_text("a file where MLflow needs a folder")
    unusable = search.model_copy(update={"tracking_uri": f"sqlite:///{tmp_path}/blocked/x.db"})
    killed = MlflowWriter(unusable, store)
    run_search(killed, trial)
    assert not killed.close(timeout=0.1)
    writer = MlflowWriter(search, store)
    assert writer.flush(30)
    assert writer.close()
    child = run_of(client, writer, "0")
    assert len(client.get_metric_history(child.info.run_id, "auc")) == 2
    assert child.info.status == "FINISHED"


def test_catch_up_logs_records_that_are_ahead_of_mlflow(
    client: MlflowClient, search: SearchRecord, store: RecordStore, trial: TrialRecord
) -> None:
    writer = MlflowWriter(search, store)
    writer.open_trial(trial)
    measured = {"trial_id": "1", "state": TrialState.INFEASIBLE, "started": 1.0}
    never_logged = trial.model_copy(update=measured)
    trial.state, trial.error = TrialState.FAILED, "out of memory"
    writer.catch_up([trial, never_logged])
    writer.catch_up([trial, never_logged])
    assert writer.close(search)
    assert run_of(client, writer, "0").info.status == "FAILED"
    assert run_of(client, writer, "0").data.tags["mixfront.error"] == "out of memory"
    assert run_of(client, writer, "1").data.tags["mixfront.state"] == "infeasible"


def test_refused_configurations_are_a_table_and_not_runs(
    client: MlflowClient, search: SearchRecord, store: RecordStore, trial: TrialRecord
) -> None:
    rows = [
        trial.model_copy(
            update={
                "trial_id": str(number),
                "state": TrialState.INFEASIBLE,
                "error": "params is 3e+07, not <= 2e+07",
                "config": {"family": "unimixer", key: 4},
            }
        )
        for number, key in enumerate(["block_size", "num_tokens"])
    ]
    for _ in range(2):  # the second driver finds nothing new
        writer = MlflowWriter(search, store, pages=lambda: {REFUSED_FILE: refused_table(rows)})
        writer.open_search()
        writer.catch_up(rows)
        writer.log_refused(2)
        assert writer.close(search)
    run = run_of(client, writer)
    runs = client.search_runs(
        [run.info.experiment_id], f"tags.`mixfront.search_id` = '{search.search_id}'"
    )
    assert [found.info.run_id for found in runs] == [run.info.run_id]
    assert run.data.tags["mixfront.infeasible"] == "2"
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    table = pandas.read_json(folder / REFUSED_FILE, orient="split")
    assert list(table["trial"]) == [0, 1]
    assert list(table["reason"]) == ["params is 3e+07, not <= 2e+07"] * 2
    assert list(table["config.block_size"].fillna(0)) == [4, 0]
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"])[0]["path"] == REFUSED_FILE


def test_the_run_id_in_a_record_is_used(
    client: MlflowClient, search: SearchRecord, store: RecordStore, trial: TrialRecord
) -> None:
    first = MlflowWriter(search, store)
    first.open_trial(trial)
    assert first.close()
    trial.run_id, search.run_id = first.run_id("0"), first.run_id()
    (Path(store.url) / "spool" / "000000-delivered.json").unlink()
    second = MlflowWriter(search, store)
    assert second.open_trial(trial) == trial.run_id
    assert second.close()
    assert client.get_run(str(trial.run_id)).data.tags["mixfront.trial_id"] == "0"


def test_an_unreachable_server_does_not_block_the_caller(
    search: SearchRecord, store: RecordStore, trial: TrialRecord
) -> None:
    unreachable = search.model_copy(update={"tracking_uri": "http://127.0.0.1:9"})
    writer = MlflowWriter(unreachable, store)
    start = time.monotonic()
    run_search(writer, trial)
    for step in range(100, 300):
        writer.log_evaluation(trial, step, {"auc": 0.7})
    assert time.monotonic() - start < 5  # one connection attempt and its retry take longer
    assert not writer.close(timeout=0.1)


def test_a_full_disk_does_not_stop_the_search(
    client: MlflowClient,
    search: SearchRecord,
    store: RecordStore,
    trial: TrialRecord,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(_: object) -> None:
        raise OSError(28, "No space left on device")

    writer = MlflowWriter(search, store)
    monkeypatch.setattr(writer._spool, "append", refuse)
    writer.open_trial(trial)
    assert writer.close()
    assert "No space left" in caplog.text
    assert run_of(client, writer, "0").data.params["block_size"] == "4"


def test_mlflows_global_state_is_not_changed(
    search: SearchRecord, store: RecordStore, trial: TrialRecord
) -> None:
    import mlflow

    uri = mlflow.get_tracking_uri()
    writer = MlflowWriter(search, store)
    run_search(writer, trial)
    assert writer.close(search)
    assert mlflow.get_tracking_uri() == uri
    assert mlflow.active_run() is None


def test_the_run_of_an_extended_search_shows_what_changed(
    client: MlflowClient, search: SearchRecord, store: RecordStore
) -> None:
    search.spec["search"] = {"trials": 3, "time": None}
    for changes in ({}, {"trials": (3, 5)}, {"trials": (5, 8), "time": (None, 60.0)}):
        for key, (_, limit) in changes.items():
            search.spec["search"][key] = limit
        if changes:
            search.extensions.append(
                Extension(
                    time=0.0,
                    before={f"search.{key}": before for key, (before, _) in changes.items()},
                    after={f"search.{key}": after for key, (_, after) in changes.items()},
                )
            )
        writer = MlflowWriter(search, store)
        writer.open_search()
        assert writer.close(search)
    run = run_of(client, writer)
    assert run.data.params["search.trials"] == "3"
    assert run.data.tags["mixfront.extended"] == (
        "1970-01-01 00:00 UTC: search.trials 3 -> 5; 1970-01-01 00:00 UTC: search.trials 5 -> 8; "
        "1970-01-01 00:00 UTC: search.time None -> 60.0"
    )
    spec = Path(run.info.artifact_uri.removeprefix("file://")) / "spec.yaml"
    assert yaml.safe_load(spec.read_text())["search"] == {"trials": 8, "time": 60.0}
