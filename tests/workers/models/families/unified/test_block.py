"""Every combination of patterns has the right cost and trains; invalid ones are rejected."""

from itertools import product
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models import Ranker, build_ranker, count_cost, get_family, make_config
from mixfront.models.cost import forward_flops
from mixfront.models.families.unified.config import GlobalPattern, LocalPattern
from mixfront.models.mixing.sinkhorn_pattern import TemperedPattern

SMALL = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8, "num_blocks": 2}
COMBINATIONS = [
    {"local_pattern": local, "local_constraint": constraint, "global_pattern": global_}
    for local, constraint, global_ in product(
        get_args(LocalPattern), ("sinkhorn", "free"), get_args(GlobalPattern)
    )
    if local != "parameter" or global_ in ("attention", "fm")
]
SURROUNDINGS: list[dict[str, Any]] = [
    {"stack": stack, "norm": norm, "ffn": ffn}
    for stack, norm, ffn in product(
        ("siamese", "plain", "pre", "post"),
        ("rms", "layer"),
        ("swiglu", "gelu", "shared_swiglu", "shared_gelu", "none"),
    )
]
SWITCHES: list[dict[str, Any]] = [
    {"global_pattern": "attention", "query_key": "per_token", "output": "per_token"},
    {"global_pattern": "attention", "num_heads": 1, "output": "shared"},
    {"global_pattern": "fm", "num_tokens": 8, "token_dim": 4},  # X^T Y first
    {"global_pattern": "factored", "tied": True, "rank": 3},
    {"global_pattern": "dense", "local_pattern": "per_block", "init": "near_perm"},
    {"global_pattern": "permutation", "block_size": 2},
    {"global_pattern": "permutation", "num_tokens": 6},
    {"global_pattern": "low_rank", "block_size": 32, "num_bases": 3},
    {"output": "shared", "ffn_hidden": 7},
    {"tau_schedule": "off", "symmetric": False, "resymmetrise": True},
]


def build(values: dict[str, Any], layout: FeatureLayout) -> Ranker:
    torch.manual_seed(0)
    return build_ranker("unified", make_config("unified", {**SMALL, **values}), layout)


@pytest.mark.parametrize("values", COMBINATIONS + SURROUNDINGS + SWITCHES, ids=str)
def test_counted_and_trainable(
    values: dict[str, Any], layout: FeatureLayout, rows: tuple[Tensor, ...]
) -> None:
    ranker = build(values, layout)
    cost = count_cost("unified", ranker.config, layout=layout, checked=False)
    few, many = (forward_flops(ranker, layout, rows=rows) for rows in (2, 6))
    assert (many - few) // 4 == cost.flops_per_sample
    closed = get_family("unified").cost(ranker.config)
    assert few - (many - few) // 2 == closed.flops_per_step
    assert cost.dense_params == sum(parameter.numel() for parameter in ranker.parameters())

    logits = ranker(*rows)
    torch.autograd.backward((logits * torch.arange(1.0, 7.0)).sum())

    assert logits.isfinite().all()
    for name, parameter in ranker.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("values", COMBINATIONS, ids=str)
def test_temperature_and_decay_follow_the_constraint(
    values: dict[str, Any], layout: FeatureLayout
) -> None:
    """Sinkhorn logits have a temperature and no decay; free matrices, the opposite."""
    ranker = build(values, layout)
    patterns = [m for m in ranker.modules() if isinstance(m, TemperedPattern)]
    assert (ranker.config.temperature() is not None) == bool(patterns)
    ranker.set_tau(0.3)
    assert all(pattern.tau.item() == pytest.approx(0.3) for pattern in patterns)
    mixing = {name for name, p in ranker.named_parameters() if ".mixing." in name and p.ndim > 1}
    logits = {id(p) for pattern in patterns for p in pattern.parameters()}
    exempt = {name for name in mixing if id(ranker.get_parameter(name)) in logits}
    assert mixing & ranker.no_decay_names() == exempt


@pytest.mark.parametrize("global_pattern", ["dense", "low_rank", "factored"])
def test_sinkhorn_is_counted_once_per_step(global_pattern: str) -> None:
    """As in the UniMixers: 4 iters (n^2 + n B^2), or 8 n r iters."""
    values = {"num_tokens": 8, "token_dim": 16, "block_size": 4, "num_blocks": 3}
    cost = get_family("unified").cost(
        make_config("unified", {**values, "global_pattern": global_pattern, "rank": 2})
    )
    global_flops = 8 * 32 * 2 * 20 if global_pattern == "factored" else 4 * 20 * 32**2
    assert cost.sinkhorn_flops_per_step == 3 * (global_flops + 4 * 20 * 32 * 4**2)


@pytest.mark.parametrize(
    ("values", "block_size"),
    [
        ({"global_pattern": "attention"}, 24),
        ({"global_pattern": "fm", "block_size": 24}, 24),
        ({"global_pattern": "permutation"}, 3),
        ({"global_pattern": "permutation", "num_tokens": 16}, 3),
        ({"global_pattern": "dense", "init": "near_perm"}, 3),
        ({"global_pattern": "dense"}, 4),
        ({"num_tokens": 3, "token_dim": 5}, 3),
        ({"block_size": 6}, 6),
    ],
)
def test_default_block_size(values: dict[str, Any], block_size: int) -> None:
    config: Any = make_config("unified", {"num_tokens": 8, "token_dim": 24, **values})
    assert config.block == block_size


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"global_pattern": "fm", "block_size": 8}, "fm mixes whole tokens, .* token_dim 64, not"),
        ({"global_pattern": "attention", "num_heads": 3}, "num_heads 3 does not divide token_dim"),
        ({"global_pattern": "permutation", "block_size": 128}, "divides token_dim 64, not 128"),
        ({"global_pattern": "permutation", "block_size": 64}, "whole tokens mixes nothing"),
        ({"global_pattern": "permutation", "num_tokens": 3}, "whole tokens mixes nothing"),
        (
            {"global_pattern": "dense", "init": "near_perm", "block_size": 128},
            "divides token_dim 64, not 128",
        ),
        ({"block_size": 48}, "block_size 48 does not divide num_tokens"),
        ({"local_pattern": "parameter"}, "the same for every row, so global_pattern low_rank"),
        ({"local_pattern": "parametr"}, "'local_pattern' is 'parametr'"),
    ],
)
def test_invalid_configs_give_a_one_sentence_error(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence) as error:
        make_config("unified", values)
    assert "\n" not in str(error.value)
