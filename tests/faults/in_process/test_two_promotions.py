"""Two promotions to one registered model at the same moment, each in a process of its own."""

import multiprocessing
import time
from pathlib import Path
from typing import Any

import numpy as np
from tests.faults.injections import Faults
from tests.platform.registry.conftest import (
    ROWS,
    empty_mlflow,
    exported,
    stand_in,
    stand_in_scores,
    store,
    uri,
)

from mixfront.records import RecordStore
from mixfront.registry.promotion import promote
from mixfront.registry.rollback import rollback
from mixfront.registry.server import registry, silenced
from mixfront.registry.signature import as_frame

__all__ = ["empty_mlflow", "exported", "stand_in", "store", "uri"]  # fixtures

MODEL = "ranker"
APART_S = 1.0  # of a promotion's few seconds
END_S = 200.0


def test_two_promotions_at_once(
    faults: Faults, exported: RecordStore, uri: str, stand_in: Path
) -> None:
    """Both succeed; the alias is on the one that moved it last, and can be rolled back."""
    alone_s = _promote_in_turn(exported, uri, stand_in)
    started = time.monotonic()
    versions = _promote_at_once(exported, uri, stand_in, faults)
    faults.injected += 1
    faults.cost(time.monotonic() - started - alone_s)
    assert sorted(versions) == ["2", "3"]
    with registry(uri) as client:
        found = client.search_model_versions(f"name = '{MODEL}'")
        assert {str(version.version) for version in found} == {"1", "2", "3"}
        assert not [version for version in found if "mixfront.refused" in version.tags]
        last = str(client.get_registered_model(MODEL).aliases["champion"])
    assert last in versions
    assert all(_scores_well(uri, version) for version in ("1", *versions))
    assert rollback(MODEL, uri=uri).version in {"1", *versions} - {last}


def _promote_in_turn(store: RecordStore, uri: str, code: Path) -> float:
    started = time.monotonic()
    promote(store, "0", model=MODEL, uri=uri, code=code)
    return time.monotonic() - started


def _promote_at_once(store: RecordStore, uri: str, code: Path, faults: Faults) -> list[str]:
    """The versions of two promotions."""
    context = multiprocessing.get_context("forkserver")
    answers: Any = context.Queue()
    late = (0.0, faults.random.uniform(0, APART_S))
    processes = [
        context.Process(target=_promote, args=(answers, store.url, str(trial), uri, code, wait_s))
        for trial, wait_s in enumerate(late)
    ]
    for process in processes:
        process.start()
    versions = [answers.get(timeout=END_S) for _ in processes]
    for process in processes:
        process.join(END_S)
        process.close()
    answers.close()
    return versions


def _promote(answers: Any, url: str, trial: str, uri: str, code: Path, wait_s: float) -> None:
    """Promote, and answer with the version or the error."""
    time.sleep(wait_s)
    try:
        store = RecordStore(*url.rsplit("/", 1))
        answers.put(promote(store, trial, model=MODEL, uri=uri, code=code).version)
    except Exception as error:
        answers.put(f"{type(error).__name__}: {error}")
    answers.close()
    answers.join_thread()


def _scores_well(uri: str, version: str) -> bool:
    """Whether a version can be loaded and scores as the exported model did."""
    with registry(uri), silenced():
        import mlflow

        model = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version}")
        scores = model.predict(as_frame(ROWS))
    return bool(np.allclose(scores, stand_in_scores(), atol=1e-6))
