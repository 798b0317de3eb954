"""RankMixer's block, dense and with experts, against the paper's formulas."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, StackContext, build_ranker, count_cost, make_config
from mixfront.models.cost import forward_flops
from mixfront.models.families.rankmixer.block import RankMixerBlock, RankMixerConfig
from mixfront.models.mixing.permutation import token_mixing

EXPERTS = 2
SMALL = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8}


def test_dense_block_matches_the_formula() -> None:
    """S = LN(TokenMixing(X) + X); X' = LN(PFFN(S) + S)."""
    block = RankMixerBlock(RankMixerConfig(num_tokens=4, token_dim=8))
    x = torch.randn(3, 4, 8)
    s = F.layer_norm(token_mixing(x, 4) + x, (8,), eps=1e-6)
    expected = F.layer_norm(block.ffn(s) + s, (8,), eps=1e-6)
    torch.testing.assert_close(block(x, StackContext(x0=x)), expected)


def make_block(**values: Any) -> RankMixerBlock:
    shape = {"num_tokens": 4, "token_dim": 8, "num_experts": EXPERTS}
    return RankMixerBlock(RankMixerConfig.model_validate({**shape, **values}))


def test_the_penalty_is_the_weighted_sum_of_gates() -> None:
    """lambda times the sum of ReLU(h_infer) over tokens and experts, per row."""
    block, x = make_block(router_penalty=0.5), torch.randn(3, 4, 8)
    context = StackContext(x0=x)
    gate_sums: list[Tensor] = []
    block.ffn.register_forward_hook(lambda _m, _i, out: gate_sums.append(out[1]))
    block(x, context)
    (penalty,) = context.penalties
    torch.testing.assert_close(penalty, 0.5 * gate_sums[0])


def test_with_all_gates_closed_the_residual_remains() -> None:
    """When serving, X' = LN(S), and gradients still flow."""
    block, x = make_block().eval(), torch.randn(3, 4, 8, requires_grad=True)
    torch.nn.init.constant_(block.get_parameter("ffn.infer_router.bias"), -1e3)
    mixed: list[Tensor] = []
    block.mix_norm.register_forward_hook(lambda _m, _i, out: mixed.append(out))
    out = block(x, StackContext(x0=x))
    torch.testing.assert_close(out, F.layer_norm(mixed[0], (8,), eps=1e-6))
    torch.autograd.backward((out * torch.randn_like(out)).sum())
    assert x.grad is not None
    assert x.grad.abs().max() > 0


def build(layout: FeatureLayout, **values: Any) -> Ranker:
    torch.manual_seed(0)
    config = make_config("rankmixer", {**SMALL, "num_experts": EXPERTS, **values})
    return build_ranker("rankmixer", config, layout)


def test_penalties_of_all_layers_add_up(
    layout: FeatureLayout, rows: tuple[Tensor, Tensor]
) -> None:
    """They are linear in lambda, and the logits do not depend on it."""
    logits, auxiliary, penalty = build(layout, num_blocks=3)(*rows)
    stronger = build(layout, num_blocks=3, router_penalty=0.25)(*rows)
    assert auxiliary.shape == (6, 0)
    assert bool((penalty > 0).all())
    torch.testing.assert_close(stronger[0], logits, rtol=0, atol=0)
    torch.testing.assert_close(stronger[2], 250 * penalty)
    one_layer = build(layout, num_blocks=1)(*rows)[2]
    assert bool((penalty > one_layer).all())


def test_serving_uses_only_the_inference_router(
    layout: FeatureLayout, rows: tuple[Tensor, Tensor]
) -> None:
    ranker = build(layout).eval()
    before = ranker(*rows)
    for name, parameter in ranker.named_parameters():
        if "train_router" in name:
            torch.nn.init.normal_(parameter)
    torch.testing.assert_close(ranker(*rows), before, rtol=0, atol=0)
    for name, parameter in ranker.named_parameters():
        if "infer_router" in name:
            torch.nn.init.normal_(parameter)
    assert not torch.allclose(ranker(*rows), before)


def test_gradients_reach_every_parameter(layout: FeatureLayout) -> None:
    ranker = build(layout, dropout=0.1)
    numeric = torch.randn(32, 2)
    numeric[:3] = torch.nan
    with torch.autocast("cpu", torch.bfloat16):
        logits, _, penalty = ranker(torch.randn(32, 3, 8), numeric)
    assert logits.dtype == penalty.dtype == torch.float32
    torch.autograd.backward((logits.square() + penalty).sum())
    for name, parameter in ranker.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_biases_are_not_decayed(layout: FeatureLayout) -> None:
    names = build(layout).no_decay_names()
    assert {f"stack.blocks.0.ffn.{key}" for key in ("down_bias", "infer_router.bias")} <= names
    assert "stack.blocks.0.ffn.infer_router.weight" not in names


def test_closed_form() -> None:
    """T E (2Dh + h + D) + 2 T E (D + 1) + 4D parameters per layer, h = kD; T E (4Dh + 4D) FLOPs
    per sample when serving, 2 T E D more in training."""
    t, d, e, k = 8, 16, 3, 2
    values = {"num_tokens": t, "token_dim": d, "num_experts": e, "ffn_hidden": k * d}
    cost = count_cost("rankmixer", make_config("rankmixer", {**values, "num_blocks": 1})).blocks
    assert cost.params == t * e * (2 * k * d**2 + k * d + d) + 2 * t * e * (d + 1) + 4 * d
    assert cost.per_sample == t * e * 4 * k * d**2 + 4 * t * e * d
    assert cost.training_flops(7) == 3 * 7 * (cost.per_sample + 2 * t * e * d)


def test_counted_training_flops_equal_those_of_a_forward(layout: FeatureLayout) -> None:
    ranker = build(layout)
    cost = count_cost("rankmixer", ranker.config, layout=layout)
    assert 3 * forward_flops(ranker, layout, rows=5) == cost.training_flops(5)


@pytest.mark.parametrize("num_experts", [0, 1])
def test_one_expert_is_dense(
    layout: FeatureLayout, rows: tuple[Tensor, Tensor], num_experts: int
) -> None:
    ranker = build(layout, num_experts=num_experts)
    dense = build_ranker("rankmixer", make_config("rankmixer", SMALL), layout)
    assert ranker.state_dict().keys() == dense.state_dict().keys()
    assert ranker(*rows).shape == (6,)
