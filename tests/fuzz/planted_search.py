"""A search's folder as others with access to the storage may have changed it."""

import json
from typing import Any

from tests.fuzz.invariants import Sandbox
from tests.fuzz.small_spec import SMALL

from mixfront.records import RecordStore

RECORD: dict[str, Any] = {
    "search_id": "planted-00000000",
    "name": "planted",
    "spec": {**SMALL, "name": "planted", "search": {"trials": 4}},
    "objectives": [{"metric": "auc", "direction": "max"}, {"metric": "flops", "direction": "min"}],
    "reference_point": [0.5, 12.0],
    "optuna_storage": "sqlite:///optuna.db",
    "tracking_uri": "sqlite:///mixfront.db",
    "experiment": "fuzz",
    "run_id": None,
    "encoder": "encoder-00000000",
    "space": "space-00000000.yaml",
    "dataset_digest": "0" * 64,
    "state": "interrupted",
    "ended_because": "it was stopped",
    "versions": {"ray": "2.60.0"},
    "created": 1.0,
}
TRIAL: dict[str, Any] = {
    "trial_id": "0",
    "family": "unimixer",
    "config": {"family": "unimixer", "num_tokens": 4, "optimizer.lr": 0.001},
    "state": "complete",
    "fidelity": 1.0,
    "values": {"auc": 0.7, "flops": 1e9},
    "metrics": {"auc": 0.7, "logloss": 0.5, "test/auc": 0.7},
    "costs": {"params": 1e5, "flops": 1e9},
    "violations": {"params": -1.0},
    "run_id": "abc",
    "checkpoint": "trials/0/step-3",
    "model_url": "trials/0/final",
    "started": 1.0,
    "ended": 2.0,
}


def planted_record(box: Sandbox, record: dict[str, Any]) -> RecordStore:
    """Write the search.json of the search `planted`, with locations in its own folder."""
    folder = box.storage / "planted"
    own = {key: f"{folder}/{record[key]}" for key in ("encoder", "space")}
    own["optuna_storage"] = f"sqlite:///{folder}/optuna.db"
    spec = {**record["spec"], "storage": str(box.storage)}
    box.write("storage/planted/search.json", json.dumps({**record, **own, "spec": spec}))
    return RecordStore(str(box.storage), "planted")
