"""Notes as MLflow shows them afterwards: a real SQLite store."""

import logging
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mixfront.records import SearchRecord
from mixfront.tracking.client import connect
from mixfront.tracking.run_update import Dataset, RunStatus, RunUpdate
from mixfront.tracking.sender import MlflowSender


@pytest.fixture
def client(tracking_uri: str) -> MlflowClient:
    return connect(tracking_uri)


def sender_of(search: SearchRecord, told: list[Any] | None = None) -> MlflowSender:
    told = [] if told is None else told
    return MlflowSender(
        search.tracking_uri, search.experiment, search.search_id, {}, lambda *run: told.append(run)
    )


def runs_of(client: MlflowClient, search: SearchRecord) -> list[Run]:
    experiment = client.get_experiment_by_name(search.experiment)
    assert experiment is not None
    query = f"tags.`mixfront.search_id` = '{search.search_id}'"
    return list(client.search_runs([experiment.experiment_id], query))


def update(seq: int, **words: Any) -> RunUpdate:
    return RunUpdate(seq=seq, time_ms=1000 + seq, **words)


def test_a_trial_is_a_child_of_its_search(client: MlflowClient, search: SearchRecord) -> None:
    told: list[Any] = []
    sender = sender_of(search, told)
    sender.deliver([update(1, name="demo"), update(2, trial_id="7", name="7 unimixer")])
    parent, child = (client.get_run(sender.runs[key]) for key in ("", "7"))
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["mixfront.trial_id"] == "7"
    assert (parent.info.run_name, child.info.run_name) == ("demo", "7 unimixer")
    assert told == [(None, parent.info.run_id), ("7", child.info.run_id)]


def test_runs_are_found_again_by_who_lost_their_ids(
    client: MlflowClient, search: SearchRecord
) -> None:
    updates = [update(1, name="demo"), update(2, trial_id="7", name="7")]
    first, second = sender_of(search), sender_of(search)
    first.deliver(updates)
    second.deliver(updates)
    assert second.runs == first.runs
    assert len(runs_of(client, search)) == 2


def test_a_child_that_comes_first_makes_its_parent(
    client: MlflowClient, search: SearchRecord
) -> None:
    sender = sender_of(search)
    sender.deliver([update(1, trial_id="7", name="7"), update(2, name="demo")])
    assert len(runs_of(client, search)) == 2


def test_telling_twice_changes_nothing(client: MlflowClient, search: SearchRecord) -> None:
    updates = [
        update(1, trial_id="1", name="1", params={"a": "1"}, metrics={"flops": 1e9}),
        update(2, trial_id="1", step=10, metrics={"auc": 0.7, "uauc": float("nan")}),
        update(3, trial_id="1", step=20, metrics={"auc": 0.8, "uauc": 0.6}),
        update(4, trial_id="1", dataset=Dataset(name="d", digest="x", source="s3://b")),
        update(5, trial_id="1", tags={"t": "1"}, status=RunStatus.FINISHED),
    ]
    sender = sender_of(search)
    sender.deliver(updates)
    sender.deliver(updates)
    run = client.get_run(sender.runs["1"])
    history = client.get_metric_history(run.info.run_id, "auc")
    assert [(m.step, m.value, m.timestamp) for m in history] == [(10, 0.7, 1002), (20, 0.8, 1003)]
    assert len(client.get_metric_history(run.info.run_id, "uauc")) == 2
    assert run.info.status == "FINISHED"
    assert run.info.end_time == 1005
    assert run.inputs is not None
    assert [entry.dataset.digest for entry in run.inputs.dataset_inputs] == ["x"]


def test_more_than_one_batch_of_everything(client: MlflowClient, search: SearchRecord) -> None:
    sender = sender_of(search)
    params = {f"p{i}": str(i) for i in range(150)}
    tags = {f"t{i}": str(i) for i in range(150)}
    metrics = {f"m{i}": float(i) for i in range(1200)}
    sender.deliver([update(1, trial_id="1", name="1", params=params, tags=tags, metrics=metrics)])
    data = client.get_run(sender.runs["1"]).data
    assert data.params == params
    assert data.metrics == metrics
    assert tags.items() <= data.tags.items()


def test_artifacts_lie_beside_the_database(
    client: MlflowClient, search: SearchRecord, tracking_uri: str
) -> None:
    sender = sender_of(search)
    sender.deliver([update(1, texts={"front.json": "{}"}), update(2, texts={"front.json": "[]"})])
    sender.show_page("<html>")
    run = client.get_run(sender.runs[""])
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    assert Path(tracking_uri.removeprefix("sqlite:///")).parent in folder.parents
    assert (folder / "front.json").read_text() == "[]"
    assert (folder / "front.html").read_text() == "<html>"


def test_an_interrupted_trial_runs_again(client: MlflowClient, search: SearchRecord) -> None:
    sender = sender_of(search)
    sender.deliver([update(1, trial_id="1", name="1", status=RunStatus.KILLED)])
    sender.deliver([update(2, trial_id="1", status=RunStatus.RUNNING)])
    assert client.get_run(sender.runs["1"]).info.status == "RUNNING"


def test_what_mlflow_refuses_for_good_holds_nothing_up(
    client: MlflowClient, search: SearchRecord, caplog: pytest.LogCaptureFixture
) -> None:
    sender = sender_of(search)
    sender.deliver([update(1, trial_id="1", name="1", params={"a": "1"})])
    with caplog.at_level(logging.WARNING):
        sender.deliver(
            [
                update(2, trial_id="1", params={"a": "2"}),
                update(3, trial_id="2", params={"a": "2"}),
            ]
        )
    assert "refused 1 updates on trial 1" in caplog.text
    assert client.get_run(sender.runs["1"]).data.params == {"a": "1"}
    assert client.get_run(sender.runs["2"]).data.params == {"a": "2"}


def test_a_failing_listener_does_not_stop_delivery(search: SearchRecord) -> None:
    def listen(trial_id: str | None, run_id: str) -> None:
        raise RuntimeError(f"{trial_id} {run_id}")

    sender = MlflowSender(search.tracking_uri, search.experiment, search.search_id, {}, listen)
    sender.deliver([update(1, trial_id="1", name="1")])
    assert set(sender.runs) == {"", "1"}


def test_a_folder_of_the_search_becomes_artifacts(
    client: MlflowClient, search: SearchRecord, tmp_path: Path
) -> None:
    (tmp_path / "trials/1/mixing").mkdir(parents=True)
    (tmp_path / "trials/1/mixing/layer0.png").write_bytes(b"\x89PNG")
    sender = MlflowSender(
        search.tracking_uri,
        search.experiment,
        search.search_id,
        {},
        lambda *_: None,
        str(tmp_path),
    )
    updates = [
        update(1, trial_id="1", name="1", folders={"mixing": "trials/1/mixing"}),
        update(2, trial_id="2", name="2", folders={"mixing": "trials/2/mixing"}),  # there is none
    ]
    sender.deliver(updates)
    sender.deliver(updates)
    shown = client.list_artifacts(sender.runs["1"], "mixing")
    assert [file.path for file in shown] == ["mixing/layer0.png"]
    folder = Path(client.get_run(sender.runs["1"]).info.artifact_uri.removeprefix("file://"))
    assert (folder / "mixing/layer0.png").read_bytes() == b"\x89PNG"
    assert client.list_artifacts(sender.runs["2"]) == []


def test_an_experiment_is_one_of_model_development(
    search: SearchRecord, client: MlflowClient
) -> None:
    name = f"kinds-{search.search_id}"
    client.create_experiment(name)
    MlflowSender(search.tracking_uri, name, search.search_id, {}, lambda *_: None).deliver(
        [update(1, name="demo")]
    )
    sender_of(search).deliver([update(1, name="demo")])
    for experiment in (name, search.experiment):
        found = client.get_experiment_by_name(experiment)
        assert found is not None
        assert found.tags["mlflow.experimentKind"] == "custom_model_development"
