"""Sinkhorn on factors against the dense iteration, and the family around it."""

import pytest
import torch
from torch import Tensor

from mixfront.models import count_cost, make_config
from mixfront.models.mixing.factored_global import FactoredGlobal
from mixfront.models.mixing.sinkhorn_factored import sinkhorn_factored, sinkhorn_factored_flops
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions

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
def test_product_is_the_dense_iteration(tau: float, num_iters: int) -> None:
    left, right = draw(32, std=1.0)
    first, second = sinkhorn_factored(left, right, tau, num_iters)
    expected = oracle(left, right, tau, num_iters)
    torch.testing.assert_close(first @ second, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("std", [0.01, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("tau", [1.0, 0.05])
@pytest.mark.parametrize("size", [2, 6, 256])
def test_float32_stays_finite_and_near(size: int, tau: float, std: float) -> None:
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


def test_pattern_mixes_with_the_product() -> None:
    options = SinkhornOptions(symmetric=False, tau=0.3)
    pattern, x = FactoredGlobal(12, 5, std=1.0, options=options), torch.randn(12, 4, 3)
    left, right = pattern.factors()
    expected = torch.einsum("ij,jnb->inb", left @ right, x)
    torch.testing.assert_close(pattern(x), expected)
    assert torch.linalg.matrix_rank(left @ right) <= 5


def test_tied_factors_are_symmetric_once_converged() -> None:
    options = SinkhornOptions(symmetric=True, num_iters=100, tau=0.5)
    pattern = FactoredGlobal(12, 5, std=1.0, options=options)
    left, right = pattern.factors()
    matrix = left @ right
    assert [name for name, _ in pattern.named_parameters()] == ["left"]
    torch.testing.assert_close(matrix, matrix.T, atol=1e-5, rtol=0)


@pytest.mark.parametrize("change", ["tau", "write"])
def test_factors_are_kept_only_while_serving(change: str) -> None:
    pattern = FactoredGlobal(6, 3, std=1.0, options=SinkhornOptions()).eval()
    with torch.no_grad():
        kept = pattern.factors()
        assert pattern.factors() is kept
        if change == "tau":
            pattern.set_tau(0.2)
        else:
            pattern.left.mul_(2)
        assert not torch.equal(pattern.factors()[0], kept[0])
    assert pattern.factors()[0].requires_grad


@pytest.mark.parametrize("symmetric", [False, True])
def test_parameters_of_lite_and_fewer_flops(symmetric: bool) -> None:
    """Mixing costs n / 2r less in its global half: 3.95 times less at n = 1024, r = 128."""
    shape = {"num_tokens": 32, "token_dim": 128, "block_size": 4, "rank": 128, "num_blocks": 1}
    lite = count_cost("unimixer_lite", make_config("unimixer_lite", shape))
    name = "unimixer_lite_factored"
    ours = count_cost(name, make_config(name, {**shape, "symmetric": symmetric}))
    assert lite.dense_params - ours.dense_params == (1024 * 128 if symmetric else 0)
    ffn = 6 * 32 * 128 * 171
    mixing = lite.blocks.per_sample - ffn, ours.blocks.per_sample - ffn
    assert mixing[1] == 4 * 128 * 4096 + 2 * 4096 * 4
    assert mixing[0] / mixing[1] == pytest.approx(3.95, rel=0.01)
    forming = 2 * 1024 * 2 * 4 * 4
    local = 4 * 20 * 1024 * 4 * 4
    assert ours.blocks.per_step == forming + local + sinkhorn_factored_flops(1024, 128, 20)
