"""A finished search with stand-ins for exported models, and an MLflow database in SQLite."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixfront.records.store import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.registry.server import registry
from mixfront.spec.objectives import Objective

ROWS = pa.table(
    {
        "user_id": pa.array([7, 8, 2**40], pa.int64()),
        "video_type": pa.array([1, None, 3], pa.int64()),
        "duration": pa.array([1.5, None, 2.0], pa.float32()),
        "tag": pa.array(["a", None, "b"]),
        "is_new": pa.array([True, None, False]),
        "history": pa.array([[1, 2], None, []], pa.list_(pa.int64())),
    }
)


@pytest.fixture
def rows() -> pa.Table:
    """Raw rows with every kind of column, and nulls."""
    return ROWS


@pytest.fixture
def stand_in() -> Path:
    """The code file of a small stand-in model."""
    return Path(__file__).with_name("stand_in_model.py")


@pytest.fixture
def scores() -> list[float]:
    """The scores of the stand-in model for `rows`."""
    return stand_in_scores()


def stand_in_scores() -> list[float]:
    """The scores of stand_in_model.py for ROWS."""
    sums = [7 + 1 + 2, 8 + 0 + 0, 2**40 % 97 + 3 + 0]
    return [float(np.float32(1 / (1 + s))) for s in sums]


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database, copied by the tests because creating one is slow."""
    folder = tmp_path_factory.mktemp("mlflow")
    with chdir(folder), registry(f"sqlite:///{folder}/mlflow.db"):  # models go to ./mlruns
        pass
    return folder / "mlflow.db"


@pytest.fixture
def uri(tmp_path: Path, empty_mlflow: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of an MLflow database for one test."""
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    """Trials 0 and 1 are on the front; 2 is dominated; the others cannot be promoted."""
    store = RecordStore(str(tmp_path / "searches"), "clicks")
    store.create(
        SearchRecord(
            search_id="clicks-00000000",
            name="clicks",
            spec={},
            objectives=[
                Objective(metric="auc", direction="max"),
                Objective(metric="flops", direction="min"),
            ],
            reference_point=[0.5, 12.0],
            optuna_storage="",
            tracking_uri="",
            experiment="ranking",
            dataset_digest="d1",
        )
    )
    states = [TrialState.COMPLETE] * 4 + [
        TrialState.RUNNING,
        TrialState.INTERRUPTED,
        TrialState.PRUNED,
        TrialState.FAILED,
        TrialState.INFEASIBLE,
    ]
    auc = [0.75, 0.70, 0.69, 0.99]
    for number, state in enumerate(states):
        store.save_trial(
            TrialRecord(
                trial_id=str(number),
                family="unimixer",
                config={},
                state=state,
                values={"auc": auc[number], "flops": 1e9 / (1 + number % 2)} if number < 4 else {},
                violations={"params": 3e6} if number in (3, 8) else {},
            )
        )
    return store


@pytest.fixture
def export(store: RecordStore, uri: str) -> Callable[[str, list[float]], None]:
    """A function that gives a trial of `store` a run, and an exported model with given scores."""
    return lambda trial_id, scores: export_stand_in(store, trial_id, uri, scores)


@pytest.fixture
def exported(store: RecordStore, uri: str) -> RecordStore:
    """`store`, in which trials 0 and 1 have MLflow runs and exported models."""
    for trial_id in ("0", "1"):
        export_stand_in(store, trial_id, uri, stand_in_scores())
    return store


def export_stand_in(store: RecordStore, trial_id: str, uri: str, scores: list[float]) -> None:
    final = Path(store.trial_url(trial_id)) / "final"
    final.mkdir(parents=True, exist_ok=True)
    pq.write_table(ROWS, final / "sample.parquet")
    (final / "sample_scores.json").write_text(json.dumps({"scores": scores}))
    with registry(uri) as client:
        experiment = client.get_experiment_by_name("ranking")
        number = experiment.experiment_id if experiment else client.create_experiment("ranking")
        run_id = client.create_run(number).info.run_id
        client.set_terminated(run_id)
    record = store.trial(trial_id)
    store.save_trial(record.model_copy(update={"model_url": str(final), "run_id": run_id}))


@pytest.fixture(autouse=True)
def mlflow_server_is_restored() -> Iterator[None]:
    """Check that every test restores MLflow's current server."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    assert os.environ.get("MLFLOW_TRACKING_URI") == before
