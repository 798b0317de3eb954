"""A Wukong layer against the paper's formulas."""

import pytest
import torch
from torch.nn import functional as F

from mixfront.exceptions import SpecError
from mixfront.models import StackContext, count_cost, make_config
from mixfront.models.families.wukong import WukongBlock, WukongConfig


def test_layer_matches_the_formula() -> None:
    """X' = LN(concat(FMB, LCB) + X), FMB = MLP(LN(flatten(X X^T Y))), LCB = W_L X."""
    block = WukongBlock(WukongConfig(num_tokens=5, token_dim=4, fm_rank=3, mlp_hidden=(7,)))
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    weights = dict(block.named_parameters())
    x = torch.randn(6, 5, 4)

    for row, out in zip(x, block(x, StackContext(x0=x)), strict=True):
        fm = row @ row.T @ weights["fm.to_rank.weight"].T
        flat = F.layer_norm(
            fm.flatten(), (15,), weights["fm_norm.weight"], weights["fm_norm.bias"], 1e-6
        )
        hidden = torch.relu(weights["mlp.layers.0.weight"] @ flat + weights["mlp.layers.0.bias"])
        fmb = weights["mlp.layers.1.weight"] @ hidden + weights["mlp.layers.1.bias"]
        lcb = weights["compress.weight"] @ row
        tokens = torch.cat([fmb.reshape(2, 4), lcb])
        expected = F.layer_norm(
            tokens + row, (4,), weights["norm.weight"], weights["norm.bias"], 1e-6
        )
        torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)


def test_rank_never_exceeds_the_number_of_tokens() -> None:
    small, large = ({"num_tokens": 8, "fm_rank": rank} for rank in (8, 24))
    costs = [count_cost("wukong", make_config("wukong", v)).dense_params for v in (small, large)]
    assert costs[0] == costs[1]


def test_one_token_is_too_few() -> None:
    with pytest.raises(SpecError, match="num_tokens is 1"):
        make_config("wukong", {"num_tokens": 1})
