"""The parts of the loss equal their formulas; padding does not matter."""

import pytest
import torch
from torch import Tensor

from mixfront.training.loss import Outputs, extra_loss, task_loss

N, A = 6, 2
WEIGHT = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])  # the last two rows are padding


@pytest.fixture
def outputs() -> Outputs:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(shape, generator=generator) for shape in ((N,), (N, A), (N,))]
    return Outputs(logits=parts[0], auxiliary=parts[1], penalty=parts[2])


@pytest.fixture
def label() -> Tensor:
    return torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])


def bce(logit: Tensor, label: Tensor) -> Tensor:
    return -(label * logit.sigmoid().log() + (1 - label) * (-logit).sigmoid().log())


def test_losses_equal_their_formulas(outputs: Outputs, label: Tensor) -> None:
    """sum(w bce), and sum(w (0.3 * sum over heads of bce + penalty))."""
    assert outputs.auxiliary is not None
    assert outputs.penalty is not None
    real = slice(0, 4)
    task = bce(outputs.logits, label)[real].sum()
    heads = sum(bce(outputs.auxiliary[:, head], label)[real].sum() for head in range(A))
    extra = 0.3 * heads + outputs.penalty[real].sum()
    torch.testing.assert_close(task_loss(outputs, label, WEIGHT), task)
    torch.testing.assert_close(extra_loss(outputs, label, WEIGHT, 0.3), extra)


def test_logits_alone_have_no_extra_loss(label: Tensor) -> None:
    outputs = Outputs.of(torch.randn(N, dtype=torch.bfloat16))
    assert outputs.logits.dtype == torch.float32
    assert float(extra_loss(outputs, label, WEIGHT, 0.3)) == 0


def test_without_heads_only_the_penalty_remains(outputs: Outputs, label: Tensor) -> None:
    assert outputs.penalty is not None
    without_heads = Outputs.of((outputs.logits, torch.zeros(N, 0), outputs.penalty))
    expected = (WEIGHT * outputs.penalty).sum()
    torch.testing.assert_close(extra_loss(without_heads, label, WEIGHT, 0.3), expected)
