"""TokenMixer-Large by its formulas."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.exceptions import SpecError
from mixfront.models import StackContext, count_cost, make_config
from mixfront.models.families.tokenmixer_large.block import TokenMixerLargeBlock
from mixfront.models.families.tokenmixer_large.config import TokenMixerLargeConfig
from mixfront.models.mixing.permutation import token_mixing
from mixfront.models.stack import Chain

T, D, H = 4, 6, 2
DM = T * D // H


def make_block(**values: object) -> TokenMixerLargeBlock:
    shape = {"num_tokens": T, "token_dim": D, "num_heads": H, "down_init_scale": 1.0}
    return TokenMixerLargeBlock(TokenMixerLargeConfig.model_validate({**shape, **values}))


def rms(x: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=1e-6)


def test_mix_and_revert() -> None:
    """The example for T = H = 2, D = 4; the revert is the inverse for any H."""
    x = torch.arange(1.0, 9.0).view(1, 2, 4)
    mixed = token_mixing(x, 2)
    assert mixed.tolist() == [[[1, 2, 5, 6], [3, 4, 7, 8]]]
    assert torch.equal(token_mixing(mixed, 2), x)
    y = torch.randn(3, T, D)
    assert torch.equal(token_mixing(token_mixing(y, H), T), y)


@pytest.mark.parametrize("norm_pos", ["pre_inner", "pre_outer", "post"])
def test_block_by_the_formula(norm_pos: str) -> None:
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
    """Every second layer's output has what lay two layers earlier added; the last one's not."""
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


def test_heads_must_fit() -> None:
    with pytest.raises(SpecError, match="num_heads 5 does not divide token_dim 64"):
        make_config("tokenmixer_large", {"num_heads": 5})
    with pytest.raises(SpecError, match=r"num_heads \(0 = num_tokens\) 12 does not"):
        make_config("tokenmixer_large", {"num_tokens": 12})
