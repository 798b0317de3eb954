"""Multi-head attention against its formula."""

import pytest
import torch
from torch import Tensor

from mixfront.exceptions import SpecError
from mixfront.models import make_config
from mixfront.models.layers.attention import attend


def one_head(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    scores = torch.einsum("nid,njd->nij", query, key) * scale
    return torch.einsum("nij,njd->nid", torch.softmax(scores, dim=-1), value)


@pytest.mark.parametrize("use_scale", [True, False])
@pytest.mark.parametrize("num_tokens", [4, 65])  # 65 takes torch's fused kernel
def test_heads_are_concatenated(num_tokens: int, use_scale: bool) -> None:
    q, k, v = torch.randn(3, 5, num_tokens, 6)
    scale = 3**-0.5 if use_scale else 1.0
    heads = [one_head(q[..., s], k[..., s], v[..., s], scale) for s in (slice(3), slice(3, 6))]
    out = attend(q, k, v, 2, use_scale=use_scale)
    torch.testing.assert_close(out, torch.cat(heads, dim=-1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("num_tokens", [4, 65])
def test_values_may_be_wider_than_keys(num_tokens: int) -> None:
    q, k = torch.randn(2, 5, num_tokens, 6)
    v = torch.randn(5, num_tokens, 10)
    heads = [
        one_head(q[..., s], k[..., s], v[..., w], 3**-0.5)
        for s, w in ((slice(3), slice(5)), (slice(3, 6), slice(5, 10)))
    ]
    torch.testing.assert_close(attend(q, k, v, 2), torch.cat(heads, -1), rtol=1e-5, atol=1e-5)


def test_a_gate_of_ones_changes_nothing() -> None:
    q, k, v = torch.randn(3, 5, 4, 6)
    gated = attend(q, k, v, 2, gate=torch.ones(4, 4))
    torch.testing.assert_close(gated, attend(q, k, v, 2), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "family", ["autoint", "transformer", "heterogeneous_attention", "fat", "kunlun"]
)
def test_heads_must_divide_a_token(family: str) -> None:
    with pytest.raises(SpecError, match="num_heads 3 does not divide token_dim 64; set a divisor"):
        make_config(family, {"num_heads": 3})
