"""A trained model in the registry: promoted, loaded, served over HTTP, rolled back."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from mixfront.data import Encoder, load_schema, open_dataset
from mixfront.data.config import DataConfig
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.registry.promotion import promote
from mixfront.registry.server import registry, silenced
from mixfront.registry.signature import as_frame
from mixfront.spec.objectives import Objective
from mixfront.training.config import TrainingConfig
from mixfront.training.request import DataRequest, TrialRequest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Trained:
    """A search with two trained trials, both on the front, and its MLflow database."""

    store: RecordStore
    uri: str
    folder: Path

    def final(self, trial_id: str) -> Path:
        """Folder of a trial's exported model."""
        return Path(str(self.store.trial(trial_id).model_url))

    def sample(self, trial_id: str) -> pa.Table:
        """Raw rows of the validation split."""
        return pq.read_table(self.final(trial_id) / "sample.parquet")

    def scores(self, trial_id: str) -> NDArray[np.float64]:
        """Scores of the trained model for the sample rows."""
        text = (self.final(trial_id) / "sample_scores.json").read_text()
        return np.array(json.loads(text)["scores"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two small models, trained on synthetic rows by the real session in this process."""
    folder = tmp_path_factory.mktemp("registry")
    report = write_synthetic(folder / "data", 3000, seed=1)
    config = DataConfig.model_validate(
        {"path": report.path, "schema": report.schema, **report.filters}
    )
    store = RecordStore(str(folder / "searches"), "clicks")
    encoder = Encoder.fit(open_dataset(config.path), load_schema(config.schema_), config.train)
    encoder.save(f"{store.url}/encoder")
    uri = f"sqlite:///{folder}/mlflow.db"
    store.create(_search(uri))
    data = DataRequest(**config.model_dump(exclude={"schema_"}), encoder=f"{store.url}/encoder")
    for trial_id, family in enumerate(("unimixer", "rankmixer")):
        _train(store, str(trial_id), family, data, uri)
    return Trained(store, uri, folder)


def _search(uri: str) -> SearchRecord:
    return SearchRecord(
        search_id="clicks-00000000",
        name="clicks",
        spec={},
        objectives=[
            Objective(metric="auc", direction="max"),
            Objective(metric="flops", direction="min"),
        ],
        reference_point=[0.5, 12.0],
        optuna_storage="",
        tracking_uri=uri,
        experiment="clicks",
        dataset_digest="d1",
    )


def _train(store: RecordStore, trial_id: str, family: str, data: DataRequest, uri: str) -> None:
    from mixfront.training.session import TrialSession

    model = {"num_tokens": 4, "token_dim": 8, "num_blocks": 1, "embedding_dim": 4}
    request = TrialRequest(
        search_id="clicks-00000000",
        trial_id=trial_id,
        family=family,
        model=model,
        data=data,
        training=TrainingConfig(batch_size=256, evaluate_every=1.0),
        zero_stage=0,
        folder=store.trial_url(trial_id),
    )
    session = TrialSession(request)
    try:
        evaluation = session.advance()
    finally:
        session.close()
    with registry(uri) as client:
        existing = client.get_experiment_by_name("clicks")
        experiment = existing.experiment_id if existing else client.create_experiment("clicks")
        run_id = client.create_run(experiment).info.run_id
    # Set so that both trials are on the front, whatever a minute of training gives.
    values = {"auc": 0.6 + 0.1 * int(trial_id), "flops": 1e8 * (1 + int(trial_id))}
    store.save_trial(
        TrialRecord(
            trial_id=trial_id,
            family=family,
            config=model,
            state=TrialState.COMPLETE,
            fidelity=1.0,
            values=values,
            metrics=evaluation.metrics,
            run_id=run_id,
            checkpoint=evaluation.checkpoint,
            model_url=evaluation.model_url,
        )
    )


@pytest.fixture(scope="module")
def served(trained: Trained) -> Iterator[str]:
    """Serves the first trial's model with `mlflow models serve`; yields its address."""
    promote(trained.store, "0", model="ranker", uri=trained.uri)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/ranker@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # has uvicorn
    environment = os.environ | {"MLFLOW_TRACKING_URI": trained.uri, "PATH": path}
    with (trained.folder / "serve.log").open("w") as log:
        server = subprocess.Popen(
            command, env=environment, cwd=trained.folder, stdout=log, stderr=log
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/ping", server, trained.folder / "serve.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def test_registered_model_gives_the_scores_of_the_trained_one(
    trained: Trained, served: str
) -> None:
    assert served
    with registry(trained.uri), silenced():
        import mlflow

        model = mlflow.pyfunc.load_model("models:/ranker@champion")
        got = model.predict(as_frame(trained.sample("0")))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, trained.scores("0"), atol=1e-6)


def test_raw_rows_of_the_data_are_scored(trained: Trained, served: str) -> None:
    """Any slice of the Parquet data as pandas reads it, including the label and other columns."""
    assert served
    from mixfront.training.predict import Predictor

    rows = open_dataset(str(trained.folder / "data")).head(300)
    expected = Predictor.load(str(trained.final("0"))).predict(rows)
    with registry(trained.uri), silenced():
        import mlflow

        model = mlflow.pyfunc.load_model("models:/ranker@champion")
        got = model.predict(rows.to_pandas())
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_serves_a_split_frame(trained: Trained, served: str) -> None:
    sample = trained.sample("0")
    records = sample.to_pylist()
    frame = {"columns": sample.column_names, "data": [list(row.values()) for row in records]}
    np.testing.assert_allclose(
        _ask(served, {"dataframe_split": frame}), trained.scores("0"), atol=1e-6
    )


@pytest.mark.parametrize("key", ["inputs", "dataframe_records"])
def test_serves_records(trained: Trained, served: str, key: str) -> None:
    records = trained.sample("0").to_pylist()
    np.testing.assert_allclose(_ask(served, {key: records}), trained.scores("0"), atol=1e-6)


def test_serves_rows_of_only_nulls(trained: Trained, served: str) -> None:
    sample = trained.sample("0")
    nulls: dict[str, Any] = dict.fromkeys(sample.column_names)
    scores = _ask(served, {"dataframe_records": [nulls, *sample.to_pylist()]})
    assert 0 < scores[0] < 1
    np.testing.assert_allclose(scores[1:], trained.scores("0"), atol=1e-6)


def test_whole_rows_are_served_without_a_warning(trained: Trained, served: str) -> None:
    """The label and whatever else a log has; MLflow used to warn of it in every call."""
    from mixfront.training.predict import Predictor

    rows = open_dataset(str(trained.folder / "data")).head(20)
    records = json.loads(json.dumps(rows.to_pylist(), default=str))
    expected = Predictor.load(str(trained.final("0"))).predict(rows)
    for body in ({"dataframe_records": records}, {"inputs": records}, {"inputs": records[0]}):
        scores = _ask(served, body)
        np.testing.assert_allclose(scores, expected[: len(scores)], atol=1e-6)
    assert "WARNING" not in (trained.folder / "serve.log").read_text()


def test_a_row_that_cannot_be_scored_is_refused_by_name(trained: Trained, served: str) -> None:
    [record] = trained.sample("0").slice(0, 1).to_pylist()
    wrong = record | {"follows": "many"}
    lacking = {name: value for name, value in record.items() if name != "user_id"}
    for row, message in ((wrong, "a value is 'many'"), (lacking, "no column 'user_id'")):
        with pytest.raises(urllib.error.HTTPError, match="400") as caught:
            _ask(served, {"dataframe_records": [row]})
        assert message in caught.value.read().decode()


def test_promote_and_roll_back_from_the_command_line(trained: Trained, served: str) -> None:
    assert served
    url = trained.store.url
    output = _mixfront(trained, "promote", url, "--pick", "best:auc", "--name", "ranker")
    assert "Loaded back from the registry" in output
    with registry(trained.uri) as client:
        assert client.get_registered_model("ranker").aliases == {"champion": 2}
        tags = client.get_model_version("ranker", "2").tags
    assert (tags["mixfront.trial_id"], tags["mixfront.family"]) == ("1", "rankmixer")
    answer = json.loads(_mixfront(trained, "rollback", "ranker", "--json"))
    assert (answer["version"], answer["taken_from"]) == ("1", "2")


def _mixfront(trained: Trained, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mixfront.cli", *words],
        env=os.environ | {"MLFLOW_TRACKING_URI": trained.uri},
        cwd=trained.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _ask(address: str, body: dict[str, Any]) -> NDArray[np.float64]:
    request = urllib.request.Request(
        f"{address}/invocations",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return np.array(json.load(answer)["predictions"])


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise AssertionError(log.read_text())
