"""A search, its trials and an SQLite MLflow, for the tests of records and of tracking."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mixfront.records import RecordStore, SearchRecord, TrialRecord
from mixfront.spec.objectives import Objective

MakeSearch = Callable[..., SearchRecord]


@pytest.fixture(scope="session")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests, as making its tables takes seconds; searches differ by id."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mixfront.db"


@pytest.fixture
def search(tracking_uri: str, request: pytest.FixtureRequest) -> SearchRecord:
    return SearchRecord(
        search_id=f"demo-{abs(hash(request.node.nodeid)):08x}",
        name="demo",
        spec={
            "name": "demo",
            "data": {"path": "s3://logs/day", "train": None},
            "search": {"trials": 3},
        },
        objectives=[
            Objective(metric="auc", direction="max"),
            Objective(metric="flops", direction="min"),
        ],
        reference_point=[0.5, 12.0],
        optuna_storage="sqlite:///optuna.db",
        tracking_uri=tracking_uri,
        experiment="ranking",
        dataset_digest="d1" * 20,
    )


@pytest.fixture
def store(search: SearchRecord, tmp_path: Path) -> RecordStore:
    store = RecordStore(str(tmp_path / "searches"), search.name)
    store.create(search)
    return store


@pytest.fixture
def trial() -> TrialRecord:
    return TrialRecord(
        trial_id="0",
        family="unimixer",
        config={"family": "unimixer", "block_size": 4, "optimizer.lr": 0.001},
        costs={"params": 1e6, "flops": 2e9},
    )
