"""DCN V2's cross layers against the paper's formulas."""

import pytest
import torch

from mixfront.models import StackContext
from mixfront.models.families.dcnv2 import CrossBlock, DCNv2Config

SMALL = {"num_tokens": 2, "token_dim": 3}


@pytest.mark.parametrize("rank", [0, 4])
def test_cross_layer_matches_the_formula(rank: int) -> None:
    """x_{l+1} = x_0 * (W x_l + b) + x_l, with W = U V at low rank."""
    block = CrossBlock(DCNv2Config.model_validate({**SMALL, "rank": rank}))
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    weights = dict(block.named_parameters())
    expand = weights["expand.weight"]
    matrix = expand @ weights["reduce.weight"] if rank else expand
    x0, x = torch.randn(5, 2, 3), torch.randn(5, 2, 3)
    first, current = x0.flatten(1), x.flatten(1)
    expected = first * (current @ matrix.T + weights["expand.bias"]) + current

    out = block(x, StackContext(x0=x0)).flatten(1)

    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)
