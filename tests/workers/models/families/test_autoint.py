"""An AutoInt layer against the paper's formula."""

import pytest
import torch

from mixfront.models import StackContext
from mixfront.models.families.autoint import AutoIntBlock, AutoIntConfig


@pytest.mark.parametrize("use_scale", [False, True])
def test_layer_matches_the_formula(use_scale: bool) -> None:
    """ReLU(concat_h softmax(q k^T) v + W_res x)."""
    config = AutoIntConfig(num_tokens=5, token_dim=6, num_heads=2, use_scale=use_scale)
    block = AutoIntBlock(config)
    x = torch.randn(4, 5, 6)
    query, key, value, residual = (x @ w for w in block.project.weight[0].chunk(4, dim=1))
    scale = 3**-0.5 if use_scale else 1.0
    heads = []
    for s in (slice(3), slice(3, 6)):
        scores = torch.einsum("nid,njd->nij", query[..., s], key[..., s]) * scale
        heads.append(scores.softmax(-1) @ value[..., s])
    expected = torch.relu(torch.cat(heads, dim=-1) + residual)
    torch.testing.assert_close(block(x, StackContext(x0=x)), expected, rtol=1e-5, atol=1e-5)
