"""The encoder block against its formulas."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.models import StackContext
from mixfront.models.layers.encoder_block import EncoderBlock, NormPosition

T, D = 3, 4


def norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, (D,), eps=1e-6)


@pytest.mark.parametrize("norm_pos", ["pre", "post"])
def test_norms_and_residuals(norm_pos: NormPosition) -> None:
    attention, ffn = nn.Linear(D, D), nn.Linear(D, D)
    block = EncoderBlock(D, attention, ffn, norm_pos)
    x = torch.randn(5, T, D)
    if norm_pos == "pre":
        middle = x + attention(norm(x))
        expected = middle + ffn(norm(middle))
    else:
        middle = norm(x + attention(x))
        expected = norm(middle + ffn(middle))
    torch.testing.assert_close(block(x, StackContext(x0=x)), expected)


def test_without_an_ffn_there_is_one_residual_and_one_norm() -> None:
    attention = nn.Linear(D, D)
    block = EncoderBlock(D, attention, None, "post")
    x = torch.randn(5, T, D)
    torch.testing.assert_close(block(x, StackContext(x0=x)), norm(x + attention(x)))
    names = {name for name, _ in block.named_parameters()}
    assert {name.partition(".")[0] for name in names} == {"attention", "attention_norm"}
