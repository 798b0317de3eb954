"""Fixtures for every family of the registry; a new family rarely needs a change here."""

from collections.abc import Callable

import pytest
import torch

from mixfront.data.batch import FeatureLayout
from mixfront.models import FAMILIES, Ranker, RankerConfig, build_ranker, make_config

MakeRanker = Callable[..., Ranker]
# For families whose defaults do not suit 4 tokens; with `rote`, Kunlun also reads ages.
OWN_KEYS: dict[str, dict[str, object]] = {
    "kunlun": {"sequence_tokens": 2, "num_heads": 2, "position": "rote"}
}


@pytest.fixture(params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def config(family: str) -> RankerConfig:
    """The config of a small model, set by hyperparameters that every family has."""
    values = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8}
    return make_config(family, {**values, **OWN_KEYS.get(family, {})})


@pytest.fixture
def make_ranker(family: str, config: RankerConfig, layout: FeatureLayout) -> MakeRanker:
    """Builds the small model from a seed; keyword arguments change its config."""

    def make(seed: int = 0, **changes: object) -> Ranker:
        torch.manual_seed(seed)
        return build_ranker(family, config.model_copy(update=changes), layout)

    return make
