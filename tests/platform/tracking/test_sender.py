"""Updates as MLflow shows them, with a real SQLite store."""

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


def sender_of(search: SearchRecord, runs: list[Any] | None = None) -> MlflowSender:
    runs = [] if runs is None else runs
    return MlflowSender(
        search.tracking_uri, search.experiment, search.search_id, {}, lambda *run: runs.append(run)
    )


def runs_of(client: MlflowClient, search: SearchRecord) -> list[Run]:
    experiment = client.get_experiment_by_name(search.experiment)
    assert experiment is not None
    query = f"tags.`mixfront.search_id` = '{search.search_id}'"
    return list(client.search_runs([experiment.experiment_id], query))


def update(seq: int, **fields: Any) -> RunUpdate:
    return RunUpdate(seq=seq, time_ms=1000 + seq, **fields)


def test_a_trial_is_a_child_of_its_search(client: MlflowClient, search: SearchRecord) -> None:
    runs: list[Any] = []
    sender = sender_of(search, runs)
    sender.deliver([update(1, name="demo"), update(2, trial_id="7", name="7 unimixer")])
    parent, child = (client.get_run(sender.runs[key]) for key in ("", "7"))
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.tags["mixfront.trial_id"] == "7"
    assert (parent.info.run_name, child.info.run_name) == ("demo", "7 unimixer")
    assert runs == [(None, parent.info.run_id), ("7", child.info.run_id)]


def test_a_sender_without_run_ids_finds_the_runs(
    client: MlflowClient, search: SearchRecord
) -> None:
    updates = [update(1, name="demo"), update(2, trial_id="7", name="7")]
    first, second = sender_of(search), sender_of(search)
    first.deliver(updates)
    second.deliver(updates)
    assert second.runs == first.runs
    assert len(runs_of(client, search)) == 2


def test_a_child_that_comes_first_creates_its_parent(
    client: MlflowClient, search: SearchRecord
) -> None:
    sender = sender_of(search)
    sender.deliver([update(1, trial_id="7", name="7"), update(2, name="demo")])
    assert len(runs_of(client, search)) == 2


def test_delivering_twice_changes_nothing(client: MlflowClient, search: SearchRecord) -> None:
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


def test_more_entries_than_fit_in_one_batch(client: MlflowClient, search: SearchRecord) -> None:
    sender = sender_of(search)
    params = {f"p{i}": str(i) for i in range(150)}
    tags = {f"t{i}": str(i) for i in range(150)}
    metrics = {f"m{i}": float(i) for i in range(1200)}
    sender.deliver([update(1, trial_id="1", name="1", params=params, tags=tags, metrics=metrics)])
    data = client.get_run(sender.runs["1"]).data
    assert data.params == params
    assert data.metrics == metrics
    assert tags.items() <= data.tags.items()


def test_artifacts_are_next_to_the_database(
    client: MlflowClient, search: SearchRecord, tracking_uri: str
) -> None:
    sender = sender_of(search)
    sender.deliver([update(1, texts={"front.json": "{}"}), update(2, texts={"front.json": "[]"})])
    sender.show_page("front.html", "<html>")
    run = client.get_run(sender.runs[""])
    folder = Path(run.info.artifact_uri.removeprefix("file://"))
    assert Path(tracking_uri.removeprefix("sqlite:///")).parent in folder.parents
    assert (folder / "front.json").read_text() == "[]"
    assert (folder / "front.html").read_text() == "<html>"


def test_a_resumed_trial_has_status_running_again(
    client: MlflowClient, search: SearchRecord
) -> None:
    sender = sender_of(search)
    sender.deliver([update(1, trial_id="1", name="1", status=RunStatus.KILLED)])
    sender.deliver([update(2, trial_id="1", status=RunStatus.RUNNING)])
    assert client.get_run(sender.runs["1"]).info.status == "RUNNING"


def test_a_permanent_refusal_does_not_block_other_updates(
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
    assert "refused 1 updates of trial 1" in caplog.text
    assert client.get_run(sender.runs["1"]).data.params == {"a": "1"}
    assert client.get_run(sender.runs["2"]).data.params == {"a": "2"}


def test_a_failing_callback_does_not_stop_delivery(search: SearchRecord) -> None:
    def on_run(trial_id: str | None, run_id: str) -> None:
        raise RuntimeError(f"{trial_id} {run_id}")

    sender = MlflowSender(search.tracking_uri, search.experiment, search.search_id, {}, on_run)
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
        update(2, trial_id="2", name="2", folders={"mixing": "trials/2/mixing"}),  # does not exist
    ]
    sender.deliver(updates)
    sender.deliver(updates)
    artifacts = client.list_artifacts(sender.runs["1"], "mixing")
    assert [file.path for file in artifacts] == ["mixing/layer0.png"]
    folder = Path(client.get_run(sender.runs["1"]).info.artifact_uri.removeprefix("file://"))
    assert (folder / "mixing/layer0.png").read_bytes() == b"\x89PNG"
    assert client.list_artifacts(sender.runs["2"]) == []


def test_a_folder_outside_the_search_is_not_read(
    client: MlflowClient, search: SearchRecord, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Everyone who can write to the storage can add a line to the spool."""
    storage, secret = tmp_path / "searches" / "demo", tmp_path / "secret"
    for folder in (storage / "trials/1", storage / "trials/2/mixing", secret):
        folder.mkdir(parents=True)
    (secret / "key").write_text("s3cr3t")
    (storage / "trials/1/mixing").symlink_to(secret)
    (storage / "trials/2/mixing/layer0.png").symlink_to(secret / "key")
    sender = MlflowSender(
        search.tracking_uri, search.experiment, search.search_id, {}, lambda *_: None, str(storage)
    )
    planted = ["../../secret", "trials/1/mixing", "trials/2/mixing", f"{storage}/../../secret"]
    with caplog.at_level(logging.WARNING):
        sender.deliver(
            [
                update(n, trial_id="1", name="1", folders={f"f{n}": folder}, tags={f"t{n}": "x"})
                for n, folder in enumerate(planted)
            ]
            + [update(9, trial_id="1", status=RunStatus.FINISHED)]
        )
    run = client.get_run(sender.runs["1"])
    assert client.list_artifacts(sender.runs["1"]) == []
    assert [run.data.tags[f"t{n}"] for n in range(4)] == ["x"] * 4
    assert run.info.status == "FINISHED"
    assert "'f0' is at" in caplog.text
    assert f"../../secret' ({secret}), which is not in the search's folder" in caplog.text
    assert f"layer0.png' ({secret}/key), which is not" in caplog.text


def test_the_experiment_kind_is_model_development(
    search: SearchRecord, client: MlflowClient
) -> None:
    name = f"kinds-{search.search_id}"
    client.create_experiment(name)
    MlflowSender(search.tracking_uri, name, search.search_id, {}, lambda *_: None).deliver(
        [update(1, name="demo")]
    )
    sender_of(search).deliver([update(1, name="demo")])
    for experiment_name in (name, search.experiment):
        experiment = client.get_experiment_by_name(experiment_name)
        assert experiment is not None
        assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
