"""DeepFM against its formula."""

from itertools import combinations

import pytest
import torch

from mixfront.exceptions import SpecError
from mixfront.models import count_cost, make_config
from mixfront.models.families.deepfm import DeepFMConfig, DeepFMHead, pairwise_products


def test_pairwise_products_are_a_factorisation_machine() -> None:
    """sum_{i<j} <x_i, x_j>."""
    x = torch.randn(5, 4, 6)
    pairs = [(x[:, i] * x[:, j]).sum(1) for i, j in combinations(range(4), 2)]
    torch.testing.assert_close(
        pairwise_products(x), torch.stack(pairs).sum(0), rtol=1e-5, atol=1e-5
    )


def test_logit_is_the_sum_of_three() -> None:
    head = DeepFMHead(DeepFMConfig(num_tokens=4, token_dim=6, head_hidden=(5, 3)))
    x = torch.randn(7, 4, 6)
    deep = x.flatten(1)
    for layer in head.deep.layers:
        deep = torch.relu(layer(deep))
    expected = head.first_order(x.flatten(1)) + head.output(deep)
    torch.testing.assert_close(head(x, x), expected.squeeze(1) + pairwise_products(x))


def test_cost_is_all_in_the_head() -> None:
    values = {"num_tokens": 4, "token_dim": 6, "head_hidden": [5, 3]}
    cost = count_cost("deepfm", make_config("deepfm", values))
    weights = 24 * 5 + 5 * 3 + 3
    assert cost.blocks.params == cost.blocks.per_sample == 0
    assert cost.head.params == weights + 5 + 3 + 1 + 24 + 1
    assert cost.head.per_sample == 2 * (weights + 24)


def test_there_are_no_blocks() -> None:
    with pytest.raises(SpecError, match="'num_blocks' is 2"):
        make_config("deepfm", {"num_blocks": 2})
