"""Metrics that MLflow has although the spool does not say so."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric


class LoggedMetrics:
    """Asks MLflow for the steps of metrics, once per run and metric.

    Only needed where the spool has lost updates that were delivered: MLflow adds a value to a
    metric's history unless its time is the same too, and the time was in the lost update.

    Args:
        runs: Ids of the runs of earlier drivers; other runs are not asked for.
    """

    def __init__(self, runs: Collection[str]) -> None:
        self._runs = frozenset(runs)
        self._steps: dict[tuple[str, str], frozenset[int]] = {}

    def without(
        self, client: "MlflowClient", run_id: str, metrics: Sequence["Metric"]
    ) -> list["Metric"]:
        """The metrics that had no value at their step when this driver first asked."""
        if run_id not in self._runs:
            return list(metrics)
        return [
            metric
            for metric in metrics
            if metric.step not in self._steps_of(client, run_id, metric.key)
        ]

    def _steps_of(self, client: "MlflowClient", run_id: str, key: str) -> frozenset[int]:
        if (run_id, key) not in self._steps:
            history = client.get_metric_history(run_id, key)
            self._steps[run_id, key] = frozenset(metric.step for metric in history)
        return self._steps[run_id, key]
