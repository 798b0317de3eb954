from ._base import (
    Block,
    BlockCost,
    Family,
    RankerConfig,
    StackContext,
    StackKind,
    TemperatureConfig,
)
from .auxiliary_heads import serving_weights
from .cost import count_cost
from .hyperparameters import Hyperparameter, hyperparameters
from .model_cost import ModelCost
from .ranker import Ranker, build_ranker
from .registry import FAMILIES, get_family, make_config

__all__ = [
    "FAMILIES",
    "Block",
    "BlockCost",
    "Family",
    "Hyperparameter",
    "ModelCost",
    "Ranker",
    "RankerConfig",
    "StackContext",
    "StackKind",
    "TemperatureConfig",
    "build_ranker",
    "count_cost",
    "get_family",
    "hyperparameters",
    "make_config",
    "serving_weights",
]
