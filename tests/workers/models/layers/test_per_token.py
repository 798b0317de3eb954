"""Grouped GEMMs against the formula, token by token; initialisation per token."""

import math

import pytest
import torch
from torch.nn import functional as F

from mixfront.models.layers.per_token import (
    GeluFFN,
    PerTokenLinear,
    SwiGluFFN,
    gelu_hidden,
    swiglu_hidden,
)


def test_gelu_network_matches_the_formula() -> None:
    ffn = GeluFFN(3, 4, 6)
    for bias in (ffn.get_parameter("up.bias"), ffn.get_parameter("down.bias")):
        torch.nn.init.normal_(bias)
    x = torch.randn(5, 3, 4)

    out = ffn(x)

    for t in range(3):
        hidden = F.gelu(x[:, t] @ ffn.up.weight[t] + ffn.get_parameter("up.bias")[t])
        expected = hidden @ ffn.down.weight[t] + ffn.get_parameter("down.bias")[t]
        torch.testing.assert_close(out[:, t], expected)


def test_swiglu_network_matches_the_formula() -> None:
    ffn = SwiGluFFN(3, 4, 6)
    for bias in (ffn.get_parameter("gate_up.bias"), ffn.get_parameter("down.bias")):
        torch.nn.init.normal_(bias)
    x = torch.randn(5, 3, 4)

    out = ffn(x)

    for t in range(3):
        both = x[:, t] @ ffn.gate_up.weight[t] + ffn.get_parameter("gate_up.bias")[t]
        hidden = F.silu(both[:, :6]) * both[:, 6:]
        expected = hidden @ ffn.down.weight[t] + ffn.get_parameter("down.bias")[t]
        torch.testing.assert_close(out[:, t], expected)


@pytest.mark.parametrize("parts", [1, 2])
def test_initialised_like_a_linear_layer_per_token(parts: int) -> None:
    """Xavier on the whole (T, in, out) tensor would make weights at least 7 times too small."""
    layer = PerTokenLinear(16, 64, 128, parts=parts)
    expected = math.sqrt(2 / (64 + 128))
    assert layer.weight.std().item() == pytest.approx(expected, rel=0.02)
    assert layer.get_parameter("bias").eq(0).all()


def test_parameter_counts() -> None:
    gelu, swiglu = GeluFFN(3, 4, 6), SwiGluFFN(3, 4, 6)
    assert sum(p.numel() for p in gelu.parameters()) == GeluFFN.params(3, 4, 6)
    assert sum(p.numel() for p in swiglu.parameters()) == SwiGluFFN.params(3, 4, 6)


@pytest.mark.parametrize(("dim", "hidden"), [(128, 171), (256, 341)])
def test_default_hidden_widths_of_the_papers_tables(dim: int, hidden: int) -> None:
    assert swiglu_hidden(0, dim) == hidden
    assert gelu_hidden(0, dim) == 2 * dim
    assert swiglu_hidden(7, dim) == gelu_hidden(7, dim) == 7
