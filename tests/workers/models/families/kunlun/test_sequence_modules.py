"""Kunlun's modules on a behaviour sequence against their formulas."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.models.families.kunlun.sequence_modules import (
    SeedPooling,
    SumKron,
    SummaryAttention,
    WindowAttention,
)

EMPTY = 1  # the row without events


@pytest.fixture
def sequence() -> tuple[Tensor, Tensor]:
    """Three histories of width 8, with 6, 0 and 3 events."""
    mask = torch.arange(6) < torch.tensor([6, 0, 3])[:, None]
    seq = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(1))
    return seq * mask.unsqueeze(2), mask


def test_sum_kron_is_a_sum_of_kronecker_products() -> None:
    """Y = sum_i Z_i^T A W_i; with row-major vec, vec(Y) = sum_i (Z_i^T kron W_i^T) vec(A)."""
    layer = SumKron(num_in=5, num_out=2, dim=3, rank=4)
    a = torch.randn(1, 5, 3)
    z_transposed = layer.left.view(2, 4, 5)  # (T_s, kr, s_0)
    w = layer.right.view(4, 3, 3)
    whole = sum(
        torch.kron(z_transposed[:, i].contiguous(), w[i].mT.contiguous()) for i in range(4)
    )
    assert isinstance(whole, Tensor)

    torch.testing.assert_close(layer(a).flatten(), whole @ a.flatten(), rtol=1e-4, atol=1e-5)


def test_seed_pooling_matches_the_formula(sequence: tuple[Tensor, Tensor]) -> None:
    """A = MHA(LN(E0), S, S) W_O over the events; an empty sequence gives zero."""
    pooling = SeedPooling(num_seeds=5, num_tokens=2, dim=8, num_heads=2, rank=3)
    seq, mask = sequence
    query = F.layer_norm(pooling.seeds, (8,), eps=1e-6) @ pooling.query.weight.T
    out = pooling(seq, mask)

    for row, count in ((0, 6), (2, 3)):
        events = seq[row, :count]
        key, value = events @ pooling.key.weight.T, events @ pooling.value.weight.T
        heads = []
        for head in (slice(0, 4), slice(4, 8)):
            weights = (query[:, head] @ key[:, head].T / math.sqrt(4)).softmax(-1)
            heads.append(weights @ value[:, head])
        attended = torch.cat(heads, 1) @ pooling.output.weight.T
        torch.testing.assert_close(out[row], pooling.kron(attended[None])[0])
    assert torch.equal(out[EMPTY], torch.zeros(2, 8))


def test_summary_attention_matches_the_formula(sequence: tuple[Tensor, Tensor]) -> None:
    """S + concat_j GELU(LN(S)_j (X W_1)_j^T / tau) (X W_2)_j, tau a constant."""
    layer = SummaryAttention(8, num_heads=2, tau=6)
    seq, mask = sequence
    summary = torch.randn(3, 4, 8)
    query = F.layer_norm(seq, (8,), eps=1e-6)
    key, value = summary @ layer.key.weight.T, summary @ layer.value.weight.T
    heads = [
        F.gelu(query[..., h] @ key[..., h].mT / 6) @ value[..., h]
        for h in (slice(0, 4), slice(4, 8))
    ]

    torch.testing.assert_close(layer(seq, mask, None, summary), seq + torch.cat(heads, 2))


def test_window_attention_matches_the_formula(sequence: tuple[Tensor, Tensor]) -> None:
    """Event i attends to the events j with |i - j| <= w; LN(S + MHA W_O)."""
    layer = WindowAttention(8, num_heads=2, length=6, window=1, rotary=None)
    seq, mask = sequence
    out = layer(seq, mask, None, torch.zeros(0))

    for i in range(3):  # positions in the history of 3 events
        near = seq[2, max(i - 1, 0) : min(i + 2, 3)]
        query = seq[2, i] @ layer.query.weight.T
        key, value = near @ layer.key.weight.T, near @ layer.value.weight.T
        heads = [
            (key[:, h] @ query[h] / math.sqrt(4)).softmax(0) @ value[:, h]
            for h in (slice(0, 4), slice(4, 8))
        ]
        attended = torch.cat(heads) @ layer.output.weight.T
        expected = F.layer_norm(seq[2, i] + attended, (8,), eps=1e-6)
        torch.testing.assert_close(out[2, i], expected, rtol=1e-4, atol=1e-5)
