"""Every family: the closed forms agree with torch's counts on the real module."""

from collections.abc import Callable

import pytest
import torch

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, RankerConfig, count_cost
from mixfront.models.activation_memory import saved_bytes
from mixfront.models.cost import forward_flops
from mixfront.models.registry import get_family

MakeRanker = Callable[..., Ranker]
VARIANTS: list[dict[str, object]] = [
    {},
    {"num_blocks": 3, "pool": "flatten", "head_hidden": (8, 4)},
    {"share_proj": True, "num_blocks": 1},
    {"sequence_pool": "target"},
    {"tokenizer": "semantic_groups", "global_token": True},
    {"tokenizer": "semantic_groups", "tokenizer_hidden": 6},
    {"tokenizer_hidden": 6, "global_token": True, "share_proj": True},
]


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_flops_equal_the_count(
    family: str,
    config: RankerConfig,
    make_ranker: MakeRanker,
    layout: FeatureLayout,
    changes: dict[str, object],
) -> None:
    ranker = make_ranker(**changes)
    changed = config.model_copy(update=changes)
    cost = count_cost(family, changed, layout=layout)

    few, many = (forward_flops(ranker, layout, rows=rows) for rows in (2, 6))

    slope = (many - few) // 4
    assert slope == cost.flops_per_sample
    assert few - 2 * slope == get_family(family).cost(changed).flops_per_step


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_params_equal_the_count(
    family: str,
    config: RankerConfig,
    make_ranker: MakeRanker,
    layout: FeatureLayout,
    changes: dict[str, object],
) -> None:
    ranker = make_ranker(**changes)
    changed = config.model_copy(update=changes)
    cost = count_cost(family, changed, layout=layout)

    assert cost.dense_params == sum(p.numel() for p in ranker.parameters())
    assert cost.blocks.params == get_family(family).cost(changed).params
    assert cost.embedding_params == layout.num_rows * config.embedding_dim


@pytest.mark.parametrize("changes", [*VARIANTS, {"dropout": 0.1}], ids=str)
def test_activations_equal_those_of_real_tensors(
    family: str,
    config: RankerConfig,
    make_ranker: MakeRanker,
    layout: FeatureLayout,
    changes: dict[str, object],
) -> None:
    ranker = make_ranker(**changes)
    cost = count_cost(family, config.model_copy(update=changes), layout=layout, activations=True)
    assert cost.activations is not None
    for rows in (3, 64):
        assert cost.activations.of_batch(rows) == saved_bytes(ranker, layout, rows=rows)


def test_counting_ten_billion_parameters_takes_no_memory(
    family: str, config: RankerConfig
) -> None:
    huge = config.model_copy(update={"num_tokens": 512, "token_dim": 8192, "block_size": 1024})

    cost = count_cost(family, huge)

    assert cost.dense_params > 10e9
    assert not torch.cuda.is_available() or torch.cuda.memory_allocated() == 0
