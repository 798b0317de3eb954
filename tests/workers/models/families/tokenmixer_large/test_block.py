"""TokenMixer-Large's block against the paper's formulas."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.models import StackContext, build_ranker, count_cost, make_config
from mixfront.models.families.tokenmixer_large.block import TokenMixerLargeBlock
from mixfront.models.families.tokenmixer_large.config import TokenMixerLargeConfig
from mixfront.models.mixing.permutation import token_mixing
from mixfront.models.stack import Chain

T, D, H = 4, 6, 2
DM = T * D // H
SPARSE = {"num_experts": 4, "active_experts": 3}


def make_block(**values: object) -> TokenMixerLargeBlock:
    shape = {"num_tokens": T, "token_dim": D, "num_heads": H, "down_init_scale": 1.0}
    return TokenMixerLargeBlock(TokenMixerLargeConfig.model_validate({**shape, **values}))


def rms(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)


def test_mix_and_revert() -> None:
    """An example with T = H = 2, D = 4; reverting inverts mixing for any H."""
    x = torch.arange(1.0, 9.0).view(1, 2, 4)
    mixed = token_mixing(x, 2)
    assert mixed.tolist() == [[[1, 2, 5, 6], [3, 4, 7, 8]]]
    assert torch.equal(token_mixing(mixed, 2), x)
    y = torch.randn(3, T, D)
    assert torch.equal(token_mixing(token_mixing(y, H), T), y)


@pytest.mark.parametrize("norm_pos", ["pre_inner", "pre_outer", "post"])
def test_block_matches_the_formula(norm_pos: str) -> None:
    block = make_block(norm_pos=norm_pos, inter_residual_every=0)
    x = torch.randn(5, T, D)
    source = rms(x) if norm_pos == "pre_outer" else x
    h = torch.stack([source[:, :, : D // H], source[:, :, D // H :]], dim=1).reshape(5, H, DM)
    h = h + block.mix_ffn(rms(h) if norm_pos == "pre_inner" else h)
    h = rms(h) if norm_pos == "post" else h
    parts = h.reshape(5, H, T, D // H)
    reverted = torch.cat([parts[:, 0], parts[:, 1]], dim=-1)
    if norm_pos == "post":
        expected = rms(x + block.token_ffn(reverted))
    else:
        expected = x + block.token_ffn(rms(reverted))
    torch.testing.assert_close(block(x, StackContext(x0=x)), expected, rtol=1e-5, atol=1e-5)


def test_inter_layer_residuals() -> None:
    """Every second layer, except the last, adds the output of the layer two before it."""
    blocks = [make_block(inter_residual_every=2) for _ in range(6)]
    plain = [make_block(inter_residual_every=0) for _ in range(6)]
    for one, other in zip(blocks, plain, strict=True):
        other.load_state_dict(one.state_dict())
    outputs = [torch.randn(2, T, D)]
    for layer, block in enumerate(plain, start=1):
        out = block(outputs[-1], StackContext(x0=outputs[0]))
        outputs.append(out + outputs[layer - 2] if layer in (2, 4) else out)
    context = StackContext(x0=outputs[0])
    torch.testing.assert_close(Chain(blocks)(outputs[0], context), outputs[-1])


def test_down_matrices_start_small() -> None:
    block = make_block(down_init_scale=0.01)
    bound = (6 / (2 * D + D)) ** 0.5
    assert block.get_parameter("token_ffn.down.weight").abs().max() <= 0.01 * bound
    assert block.get_parameter("token_ffn.gate_up.weight").abs().max() > 0.5 * bound


@pytest.mark.parametrize(
    ("values", "params"),
    [
        ({}, 6 * 2 * 16 * 64**2 + 128),
        ({"num_heads": 4}, 3 * 2 * 16**2 * 64**2 // 4 + 3 * 2 * 16 * 64**2 + 256 + 64),
        ({"norm_pos": "pre_outer"}, 6 * 2 * 16 * 64**2 + 128),
        ({"ffn_bias": True}, 16 * (6 * 2 * 64**2 + 2 * (4 * 64 + 64)) + 128),
    ],
)
def test_closed_form(values: dict[str, object], params: int) -> None:
    cost = count_cost("tokenmixer_large", make_config("tokenmixer_large", values))
    assert cost.blocks.params == 2 * params


def test_cost_of_sparse_ffns() -> None:
    """Active experts' share of the dense FLOPs, plus routers, each TD (E - 1) because H = T."""
    dense = count_cost("tokenmixer_large", make_config("tokenmixer_large", {}))
    sparse = count_cost("tokenmixer_large", make_config("tokenmixer_large", SPARSE))
    routers = 2 * 2 * 16 * 64 * 3
    saved = dense.blocks.per_sample * 1 // 4
    assert sparse.dense_params - dense.dense_params == routers
    assert sparse.flops_per_sample == dense.flops_per_sample - saved + 2 * routers


@pytest.mark.parametrize(
    "changes", [SPARSE, {**SPARSE, "ffn_bias": True}, {"num_experts": 4}], ids=str
)
def test_gradients_reach_every_parameter_of_sparse_ffns(
    layout: FeatureLayout, changes: dict[str, object]
) -> None:
    torch.manual_seed(0)
    values = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8, **changes}
    ranker = build_ranker("tokenmixer_large", make_config("tokenmixer_large", values), layout)
    numeric = torch.randn(32, 2)
    numeric[:3] = torch.nan
    with torch.autocast("cpu", torch.bfloat16):
        logits = ranker(torch.randn(32, 3, 8), numeric)
    torch.autograd.backward(logits.square().sum())
    for name, parameter in ranker.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    "values",
    [
        {"num_experts": 4},
        {"num_experts": 4, "norm_pos": "pre_outer"},
        {"num_experts": 4, "norm_pos": "post"},
        {"num_experts": 4, "active_experts": 4},
        {"num_experts": 8},
        {"num_experts": 16, "active_experts": 3},
    ],
    ids=str,
)
def test_routers_are_alive_at_the_defaults_after_a_step(
    layout: FeatureLayout, values: dict[str, object]
) -> None:
    """Every other value is the default; `active_experts` defaults to its minimum."""
    torch.manual_seed(0)
    config = make_config("tokenmixer_large", values)
    ranker = build_ranker("tokenmixer_large", config, layout)
    optimizer = torch.optim.Adam(ranker.parameters(), lr=1e-3)
    fields, numeric = torch.randn(16, 3, config.embedding_dim), torch.randn(16, 2)
    for _ in range(2):
        optimizer.zero_grad()
        torch.autograd.backward(ranker(fields, numeric).square().sum())
        routers = {n: p.grad for n, p in ranker.named_parameters() if "router" in n}
        assert len(routers) == 2 * config.num_blocks
        for name, grad in routers.items():
            assert grad is not None, name
            assert grad.abs().max() > 0, name
        optimizer.step()
