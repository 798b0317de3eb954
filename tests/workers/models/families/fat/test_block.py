"""FAT by its formulas."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.exceptions import SpecError
from mixfront.models import StackContext, count_cost, make_config
from mixfront.models.families.fat.block import FATBlock, FATConfig
from mixfront.models.families.fat.field_weights import ComposedWeights

FIELDS, D, H, HIDDEN = 3, 4, 2, 5
SHAPE = {"num_tokens": FIELDS, "token_dim": D, "num_heads": H, "ffn_hidden": HIDDEN}


def make_block(**values: object) -> FATBlock:
    block = FATBlock(FATConfig.model_validate({**SHAPE, "num_bases": 6, **values}))
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return block


@pytest.mark.parametrize("field_gate", ["one_plus_w", "w"])
@pytest.mark.parametrize("num_bases", [0, 6])
def test_block_by_the_formula(field_gate: str, num_bases: int) -> None:
    """Z' = Z + FFN(LN(Attn(Z))), one pair of fields after the other."""
    block = make_block(field_gate=field_gate, num_bases=num_bases)
    project, up, down = block.weights()
    gate = block.gate + 1 if field_gate == "one_plus_w" else block.gate
    z = torch.randn(7, FIELDS, D)
    h = z + block.field_bias
    q, k, v = ([h[:, f] @ project[f].chunk(3, dim=1)[i] for f in range(FIELDS)] for i in range(3))
    expected = torch.empty_like(z)
    for f in range(FIELDS):
        heads = []
        for s in (slice(2), slice(2, 4)):
            scores = [
                (q[f][:, s] * k[g][:, s]).sum(1) / 2**0.5 * gate[f, g] for g in range(FIELDS)
            ]
            share = torch.stack(scores, dim=1).softmax(1)
            heads.append(_weighted(share, [v[g][:, s] for g in range(FIELDS)]))
        mixed = F.layer_norm(torch.cat(heads, 1), (D,), block.norm.weight, block.norm.bias, 1e-6)
        expected[:, f] = z[:, f] + F.gelu(mixed @ up[f]) @ down[f]
    torch.testing.assert_close(block(z, StackContext(x0=z)), expected, rtol=1e-5, atol=1e-5)


def _weighted(share: Tensor, values: list[Tensor]) -> Tensor:
    return (share.unsqueeze(-1) * torch.stack(values, dim=1)).sum(1)


def make_weights(num_bases: int = 6, active: int = 2) -> ComposedWeights:
    torch.manual_seed(0)
    return ComposedWeights(FIELDS, D, HIDDEN, num_bases=num_bases, active=active, embedding_dim=3)


def test_weights_are_composed_of_the_bases_picked() -> None:
    """W^f = sum over the K best m of softmax(g(phi_f))_m B_m."""
    weights = make_weights()
    project, up, down = weights()
    picks = (weights.fields @ weights.pick).view(FIELDS, 5, 6)
    bases = [*weights.project, weights.up, weights.down]
    for f in range(FIELDS):
        composed = []
        for kind in range(5):
            scores, chosen = picks[f, kind].sort(descending=True)
            alpha = scores[:2].softmax(0)
            composed.append(alpha[0] * bases[kind][chosen[0]] + alpha[1] * bases[kind][chosen[1]])
        torch.testing.assert_close(project[f], torch.cat(composed[:3], dim=1))
        torch.testing.assert_close(up[f], composed[3])
        torch.testing.assert_close(down[f], composed[4])


def test_composed_weights_are_kept_only_while_serving() -> None:
    weights = make_weights().eval()
    with torch.no_grad():
        kept = weights()[1]
        assert weights()[1] is kept
        weights.up.mul_(2)
        changed = weights()[1]
        torch.testing.assert_close(changed, 2 * kept)
    assert weights()[1] is not changed
    assert weights()[1].requires_grad


@pytest.mark.parametrize("num_bases", [0, 16])
def test_composed_weights_start_at_the_scale_of_own_ones(num_bases: int) -> None:
    config = FATConfig(token_dim=32, num_tokens=8, num_bases=num_bases)
    _, up, _ = config.field_weights()()
    assert up.std().item() == pytest.approx((2 / (32 + 128)) ** 0.5, rel=0.15)


def test_closed_form_of_the_composition() -> None:
    values = {"num_tokens": 16, "token_dim": 64, "num_blocks": 1}
    matrix = 3 * 64**2 + 2 * 64 * 256
    rest = 16**2 + 16 * 64 + 2 * 64
    composed = count_cost("fat", make_config("fat", values))
    own = count_cost("fat", make_config("fat", {**values, "num_bases": 0}))
    assert composed.blocks.params == 64 * matrix + 16 * 64 + 5 * 64 * 64 + rest
    assert own.blocks.params == 16 * matrix + rest
    assert composed.blocks.per_step == 10 * 16 * 64 * 64 + 2 * 16 * 64 * matrix
    assert own.blocks.per_step == 0
    assert own.flops_per_sample == composed.flops_per_sample


def test_no_more_bases_than_there_are() -> None:
    with pytest.raises(SpecError, match="active_bases 3 is more than num_bases 2"):
        make_config("fat", {"num_bases": 2})
