from .client import check_reachable
from .writer import MlflowWriter

__all__ = [
    "MlflowWriter",
    "check_reachable",
]
