"""What MLflow is told of a search."""

from mixfront.tracking.client import check_reachable
from mixfront.tracking.writer import MlflowWriter

__all__ = ["MlflowWriter", "check_reachable"]
