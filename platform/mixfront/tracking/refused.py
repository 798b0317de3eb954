"""The table of configurations that were refused before training, an artifact of a search's run.

A run of its own for each would bury the trials: a search may refuse more than it trains.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from mixfront.records.scrub import scrub
from mixfront.records.store import TrialRecord

REFUSED_FILE = "infeasible.json"
REFUSED_TAG = "mixfront.infeasible"  # on the search's run: how many rows the table has
# By this tag MLflow shows the artifact as a table, and `mlflow.load_table` finds it.
TABLE_TAGS = {
    "mlflow.loggedArtifacts": json.dumps([{"path": REFUSED_FILE, "type": "table"}]),
}


def refused(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The trials that were refused before training."""
    return [trial for trial in trials if trial.is_refused]


def refused_table(trials: Iterable[TrialRecord]) -> str:
    """The refused configurations as JSON in MLflow's table format, one row per configuration.

    The columns are trial, family and reason, then the costs, then the hyperparameters; a value
    that a configuration lacks is null.
    """
    rows = refused(trials)
    costs = _names([row.costs for row in rows])
    config = _names([row.config for row in rows])
    data = [
        [row.trial_id, row.family, row.error]
        + [row.costs.get(name) for name in costs]
        + [row.config.get(name) for name in config]
        for row in rows
    ]
    columns = ["trial", "family", "reason", *costs, *(f"config.{name}" for name in config)]
    return json.dumps(scrub({"columns": columns, "data": data}))


def _names(mappings: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))
