"""Cross layers and the deep network beside them, by the formulas."""

import pytest
import torch

from mixfront.models import StackContext, count_cost, make_config
from mixfront.models.families.dcnv2 import CrossBlock, DCNv2Config
from mixfront.models.parallel_head import ParallelHead

SMALL = {"num_tokens": 2, "token_dim": 3}


@pytest.mark.parametrize("rank", [0, 4])
def test_cross_layer_by_the_formula(rank: int) -> None:
    """x_{l+1} = x_0 * (W x_l + b) + x_l, W = U V where it has low rank."""
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


def test_head_joins_crosses_and_deep_network() -> None:
    config = DCNv2Config.model_validate({**SMALL, "parallel_hidden": [5, 4]})
    head = ParallelHead(config)
    x, x0 = torch.randn(7, 2, 3), torch.randn(7, 2, 3)
    deep = x0.flatten(1)
    assert head.deep is not None
    for layer in head.deep.layers:
        deep = torch.relu(layer(deep))
    joined = torch.cat([x.flatten(1), deep], dim=1)
    torch.testing.assert_close(head(x, x0), head.output(joined).squeeze(1))


def test_without_deep_network() -> None:
    cost = count_cost("dcnv2", make_config("dcnv2", {**SMALL, "parallel_hidden": []}))
    assert cost.head.params == 6 + 1
    assert cost.head.per_sample == 2 * 6
