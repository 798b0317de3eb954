"""Heterogeneous attention against the paper's formula."""

import pytest
import torch

from mixfront.models import count_cost, make_config
from mixfront.models.families.heterogeneous_attention import HeterogeneousAttention

T, D, HEADS = 3, 4, 2


def test_every_token_has_its_own_projections() -> None:
    """o_i = concat_h(sum_j softmax_j((x_i Q_i)(x_j K_j)^T / sqrt(d_h)) x_j V_j) O_i."""
    attention = HeterogeneousAttention(T, D, HEADS)
    x = torch.randn(5, T, D)
    projected = torch.einsum("ntd,tde->nte", x, attention.project.weight)
    query, key, value = projected.chunk(3, dim=-1)
    expected = torch.zeros(5, T, D)
    for h in range(HEADS):
        s = slice(2 * h, 2 * h + 2)
        scores = torch.einsum("nid,njd->nij", query[..., s], key[..., s]) / 2**0.5
        expected[..., s] = torch.einsum("nij,njd->nid", scores.softmax(-1), value[..., s])
    expected = torch.einsum("ntd,tde->nte", expected, attention.output.weight)
    torch.testing.assert_close(attention(x), expected, rtol=1e-5, atol=1e-5)


def test_wide_values_have_the_width_of_a_token_for_every_head() -> None:
    """o_i = concat_h(sum_j A_ij^h x_j V_j^h) O_i, with V_j^h of D x D and O_i of HD x D."""
    attention = HeterogeneousAttention(T, D, HEADS, value_dim=HEADS * D)
    x = torch.randn(5, T, D)
    projected = torch.einsum("ntd,tde->nte", x, attention.project.weight)
    query, key, *values = projected.chunk(2 + HEADS, dim=-1)
    heads = []
    for h, value in enumerate(values):
        s = slice(2 * h, 2 * h + 2)
        scores = torch.einsum("nid,njd->nij", query[..., s], key[..., s]) / 2**0.5
        heads.append(torch.einsum("nij,njd->nid", scores.softmax(-1), value))
    assert len(heads) == HEADS
    expected = torch.einsum("nte,ted->ntd", torch.cat(heads, dim=-1), attention.output.weight)
    torch.testing.assert_close(attention(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 4])
def test_cost_of_wide_values(heads: int) -> None:
    """TD^2 (2 + 2H) in place of 4TD^2 parameters; scores stay, weighted values cost H times."""
    values = {"num_tokens": 3, "token_dim": 8, "num_blocks": 1, "num_heads": heads}
    costs = [
        count_cost("heterogeneous_attention", make_config("heterogeneous_attention", config))
        for config in (values, {**values, "wide_values": True})
    ]
    params = [cost.blocks.params for cost in costs]
    flops = [cost.flops_per_sample for cost in costs]
    assert params[1] - params[0] == 3 * 8**2 * (2 * heads - 2)
    assert flops[1] - flops[0] == (heads - 1) * (4 * 3 * 8**2 + 2 * 3**2 * 8)


def test_tokens_of_a_group_share_weights() -> None:
    grouped = HeterogeneousAttention(T, D, HEADS, groups=(1, 0, 1))
    separate = HeterogeneousAttention(T, D, HEADS)
    with torch.no_grad():
        separate.project.weight.copy_(grouped.project.weight[[1, 0, 1]])
        separate.output.weight.copy_(grouped.output.weight[[1, 0, 1]])
    x = torch.randn(5, T, D)
    torch.testing.assert_close(grouped(x), separate(x))
