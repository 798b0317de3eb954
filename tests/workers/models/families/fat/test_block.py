"""FAT's block against the paper's formulas."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.exceptions import SpecError
from mixfront.models import StackContext, count_cost, make_config
from mixfront.models.families.fat.block import FATBlock, FATConfig

FIELDS, D, H, HIDDEN = 3, 4, 2, 5
SHAPE = {"num_tokens": FIELDS, "token_dim": D, "num_heads": H, "ffn_hidden": HIDDEN}


def make_block(**values: object) -> FATBlock:
    block = FATBlock(FATConfig.model_validate({**SHAPE, "num_bases": 6, **values}))
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return block


@pytest.mark.parametrize("field_gate", ["one_plus_w", "w"])
@pytest.mark.parametrize("num_bases", [0, 6])
def test_block_matches_the_formula(field_gate: str, num_bases: int) -> None:
    """Z' = Z + FFN(LN(Attn(Z))), pair by pair."""
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


def test_closed_form() -> None:
    values = {"num_tokens": 16, "token_dim": 64, "num_blocks": 1}
    matrix = 3 * 64**2 + 2 * 64 * 256
    rest = 16**2 + 16 * 64 + 2 * 64
    composed = count_cost("fat", make_config("fat", values))
    separate = count_cost("fat", make_config("fat", {**values, "num_bases": 0}))
    assert composed.blocks.params == 64 * matrix + 16 * 64 + 5 * 64 * 64 + rest
    assert separate.blocks.params == 16 * matrix + rest
    assert composed.blocks.per_step == 10 * 16 * 64 * 64 + 2 * 16 * 64 * matrix
    assert separate.blocks.per_step == 0
    assert separate.flops_per_sample == composed.flops_per_sample


def test_a_field_cannot_select_more_bases_than_there_are() -> None:
    with pytest.raises(SpecError, match="active_bases 3 is more than num_bases 2"):
        make_config("fat", {"num_bases": 2})
