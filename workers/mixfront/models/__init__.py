"""Architecture families: configs, mixing, ranker and costs."""

from mixfront.models._base import (
    Block,
    BlockCost,
    Family,
    RankerConfig,
    StackContext,
    StackKind,
    TemperatureConfig,
)
from mixfront.models.auxiliary import serving_weights
from mixfront.models.cost import ModelCost, count_cost
from mixfront.models.hyperparameters import Hyperparameter, hyperparameters
from mixfront.models.ranker import Ranker, build_ranker
from mixfront.models.registry import FAMILIES, get_family, make_config

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
