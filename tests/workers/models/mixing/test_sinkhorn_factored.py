"""Sinkhorn on factors against the dense iteration."""

import pytest
import torch
from torch import Tensor

from mixfront.models.mixing.sinkhorn_factored import sinkhorn_factored

RANK = 8


def draw(size: int, std: float, rank: int = RANK) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(size)
    left = torch.randn(size, rank, generator=generator, dtype=torch.float64)
    return left * std, torch.randn(rank, size, generator=generator, dtype=torch.float64) * std


def oracle(left: Tensor, right: Tensor, tau: float, num_iters: int) -> Tensor:
    """Rows, then columns, of the dense matrix exp(A_G / tau) exp(B_G / tau), in the log domain."""
    log = torch.logsumexp(left[:, :, None] / tau + right[None] / tau, dim=1)
    for _ in range(num_iters):
        log = log - log.logsumexp(-1, keepdim=True)
        log = log - log.logsumexp(-2, keepdim=True)
    return log.exp()


@pytest.mark.parametrize("num_iters", [1, 2, 6, 7, 20])
@pytest.mark.parametrize("tau", [1.0, 0.2, 0.05])
def test_product_equals_the_dense_iteration(tau: float, num_iters: int) -> None:
    left, right = draw(32, std=1.0)
    first, second = sinkhorn_factored(left, right, tau, num_iters)
    expected = oracle(left, right, tau, num_iters)
    torch.testing.assert_close(first @ second, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("std", [0.01, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("tau", [1.0, 0.05])
@pytest.mark.parametrize("size", [2, 6, 256])
def test_float32_stays_finite_and_close(size: int, tau: float, std: float) -> None:
    exact = draw(size, std)
    left, right = (factor.float().requires_grad_() for factor in exact)

    first, second = sinkhorn_factored(left, right, tau, 20)
    product = first @ second
    torch.autograd.backward((product * torch.linspace(-1, 1, size)).square().sum())

    torch.testing.assert_close(product.double(), oracle(*exact, tau, 20), atol=1e-4, rtol=0)
    torch.testing.assert_close(product.sum(0), torch.ones(size), atol=3e-5, rtol=0)
    for factor in (left, right):
        assert factor.grad is not None
        assert factor.grad.isfinite().all()


def test_gradient_is_that_of_the_truncated_iteration() -> None:
    left, right = (factor.requires_grad_() for factor in draw(6, std=1.0, rank=3))

    def product(a: Tensor, b: Tensor) -> Tensor:
        first, second = sinkhorn_factored(a, b, 0.5, 7)
        return first @ second

    assert torch.autograd.gradcheck(product, (left, right))
