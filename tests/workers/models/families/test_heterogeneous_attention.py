"""Heterogeneous attention against the paper's formula."""

import torch

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


def test_tokens_of_a_group_share_weights() -> None:
    grouped = HeterogeneousAttention(T, D, HEADS, groups=(1, 0, 1))
    separate = HeterogeneousAttention(T, D, HEADS)
    with torch.no_grad():
        separate.project.weight.copy_(grouped.project.weight[[1, 0, 1]])
        separate.output.weight.copy_(grouped.output.weight[[1, 0, 1]])
    x = torch.randn(5, T, D)
    torch.testing.assert_close(grouped(x), separate(x))
