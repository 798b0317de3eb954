"""The head with a parallel deep network, against its formula."""

import torch

from mixfront.models import count_cost, make_config
from mixfront.models.parallel_head import ParallelHead, ParallelHeadConfig

SMALL = {"num_tokens": 2, "token_dim": 3, "pool": "flatten"}


def test_concatenates_mixed_tokens_and_deep_network() -> None:
    config = ParallelHeadConfig.model_validate({**SMALL, "parallel_hidden": [5, 4]})
    head = ParallelHead(config)
    x, x0 = torch.randn(7, 2, 3), torch.randn(7, 2, 3)
    deep = x0.flatten(1)
    assert head.deep is not None
    for layer in head.deep.layers:
        deep = torch.relu(layer(deep))
    joined = torch.cat([x.flatten(1), deep], dim=1)
    torch.testing.assert_close(head(x, x0), head.output(joined).squeeze(1))


def test_without_a_deep_network() -> None:
    cost = count_cost("dcnv2", make_config("dcnv2", {**SMALL, "parallel_hidden": []}))
    assert cost.head.params == 6 + 1
    assert cost.head.per_sample == 2 * 6
