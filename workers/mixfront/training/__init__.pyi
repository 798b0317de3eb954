from .config import DenseOptimizerConfig, EmbeddingOptimizerConfig, TrainingConfig
from .evaluation import Evaluation
from .predict import Predictor
from .request import DataRequest, TrialRequest
from .session import TrialSession

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
