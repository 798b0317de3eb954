"""Metrics of how routed experts are used in an evaluation."""

import pytest
import torch

from mixfront.models.families.tokenmixer_large.sparse_ffn import SparseSwiGluFFN
from mixfront.training.diagnostics.expert_load import MAX_SHARES, ExpertLoads, load_metrics
from mixfront.training.ranks import Ranks

ALONE = Ranks(rank=0, world_size=1, device="cpu")


def test_shares_are_sorted_per_token_before_their_mean() -> None:
    """Expert 0 is the busiest of token 0, expert 2 of token 1."""
    counts = torch.tensor([[8, 2, 0], [0, 4, 6]])
    assert load_metrics("stack.blocks.2.mix_ffn.load", counts) == pytest.approx(
        {
            "experts/mix_ffn_share1_layer2": 0.7,
            "experts/mix_ffn_share2_layer2": 0.3,
            "experts/mix_ffn_share3_layer2": 0.0,
            "experts/mix_ffn_dead_layer2": 2.0,
        }
    )


def test_many_experts_have_the_shares_of_the_busiest() -> None:
    metrics = load_metrics("load", torch.ones(1, 20, dtype=torch.long))
    assert len(metrics) == MAX_SHARES + 1
    assert metrics["experts/model_share1_layer0"] == pytest.approx(1 / 20)


def test_counts_what_is_scored_inside() -> None:
    torch.manual_seed(0)
    ffn = SparseSwiGluFFN(2, 4, 8, num_experts=4, active=3)
    with torch.no_grad():
        ffn.router.weight.copy_(torch.tensor([3.0, 2.0, 1.0]).expand(2, 4, 3))
    ffn(torch.rand(5, 2, 4))
    with ExpertLoads(ffn, ALONE) as loads:
        ffn(torch.rand(5, 2, 4))
    ffn(torch.rand(5, 2, 4))
    metrics = loads.metrics()
    assert list(metrics.values()) == [0.5, 0.5, 0.0, 2.0]  # two of three experts, per token


def test_a_model_without_routed_experts_has_no_metrics() -> None:
    with ExpertLoads(torch.nn.Linear(2, 2), ALONE) as loads:
        pass
    assert loads.metrics() == {}
