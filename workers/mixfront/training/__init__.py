"""Training of one trial: DeepSpeed for the dense part, own tables, metrics, checkpoints.

`TrialSession` and `Predictor` are loaded when they are first asked for: a driver needs the
config and request alone, and should not wait for torch.
"""

from typing import TYPE_CHECKING, Any

from mixfront.training.config import (
    DenseOptimizerConfig,
    EmbeddingOptimizerConfig,
    TrainingConfig,
)
from mixfront.training.request import DataRequest, TrialRequest

if TYPE_CHECKING:
    from mixfront.training.evaluation import Evaluation
    from mixfront.training.predict import Predictor
    from mixfront.training.session import TrialSession

__all__ = [
    "DataRequest",
    "DenseOptimizerConfig",
    "EmbeddingOptimizerConfig",
    "Evaluation",
    "Predictor",
    "TrainingConfig",
    "TrialRequest",
    "TrialSession",
]


def __getattr__(name: str) -> Any:
    if name == "Evaluation":
        from mixfront.training.evaluation import Evaluation

        return Evaluation
    if name == "Predictor":
        from mixfront.training.predict import Predictor

        return Predictor
    if name == "TrialSession":
        from mixfront.training.session import TrialSession

        return TrialSession
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
