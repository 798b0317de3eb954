"""Every family: a CUDA device agrees with the CPU."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mixfront.models import Ranker

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DEVICE = "cuda"
MakeRanker = Callable[..., Ranker]
Rows = tuple[Tensor, ...]


def logits_and_gradients(ranker: Ranker, rows: Rows, device: str) -> list[Tensor]:
    """Logits, then the gradient of every parameter, moved to the CPU."""
    ranker = ranker.to(device).train()
    logits = ranker(*(part.to(device) for part in rows))
    weights = torch.arange(1.0, 7.0, device=device)
    gradients = torch.autograd.grad((logits * weights).sum(), list(ranker.parameters()))
    return [logits.detach().cpu(), *(gradient.cpu() for gradient in gradients)]


@pytest.mark.parametrize("sequence_pool", ["mean", "target"])
def test_logits_and_gradients_equal_those_on_the_cpu(
    make_ranker: MakeRanker, rows: Rows, sequence_pool: str
) -> None:
    cpu_ranker, cuda_ranker = (make_ranker(sequence_pool=sequence_pool) for _ in range(2))

    on_cpu = logits_and_gradients(cpu_ranker, rows, "cpu")
    on_cuda = logits_and_gradients(cuda_ranker, rows, DEVICE)

    for actual, expected in zip(on_cuda, on_cpu, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)


def test_bf16_is_close_to_single_precision(make_ranker: MakeRanker, rows: Rows) -> None:
    ranker = make_ranker().to(DEVICE).eval()
    inputs = tuple(part.to(DEVICE) for part in rows)

    with torch.no_grad():
        expected = ranker(*inputs)
        with torch.autocast(DEVICE, torch.bfloat16):
            logits = ranker(*inputs)

    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, expected, rtol=0.1, atol=0.1)
