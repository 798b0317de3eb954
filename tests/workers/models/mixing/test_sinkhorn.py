"""Sinkhorn in scaling form against a float64 log-domain oracle."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from mixfront.models.mixing.sinkhorn import rounds_between_absorptions, sinkhorn, sinkhorn_flops


@pytest.fixture(params=["kept", "flushed"])
def denormals(request: pytest.FixtureRequest) -> Iterator[None]:
    """Denormals kept, which is the default, or flushed, as in CPU workers."""
    torch.set_flush_denormal(request.param == "flushed")
    yield
    torch.set_flush_denormal(False)


def oracle(logits: Tensor, tau: float, num_iters: int) -> Tensor:
    """Rows, then columns, in the log domain and float64."""
    log = logits.double() / tau
    for _ in range(num_iters):
        log = log - log.logsumexp(-1, keepdim=True)
        log = log - log.logsumexp(-2, keepdim=True)
    return log.exp()


def draw(*shape: int, std: float, symmetric: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(shape[-1])
    logits = torch.randn(*shape, generator=generator) * std
    return (logits + logits.mT) / 2 if symmetric else logits


def test_uniform_logits_give_the_uniform_matrix() -> None:
    torch.testing.assert_close(sinkhorn(torch.zeros(5, 5), 0.05, 3), torch.full((5, 5), 0.2))


def test_two_by_two_by_hand() -> None:
    expected = torch.tensor([[0.7311, 0.2689], [0.2689, 0.7311]])
    torch.testing.assert_close(sinkhorn(torch.eye(2), 1.0, 20), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("num_iters", [1, 2, 5, 6, 7, 20])
def test_equals_the_log_domain_loop_in_float64(num_iters: int) -> None:
    for tau in (1.0, 0.2, 0.05):
        logits = draw(32, 32, std=1.0).double()
        expected = oracle(logits, tau, num_iters)
        torch.testing.assert_close(sinkhorn(logits, tau, num_iters), expected, atol=1e-12, rtol=0)


@pytest.mark.usefixtures("denormals")
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("tau", [1.0, 0.2, 0.05])
@pytest.mark.parametrize("std", [0.01, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("size", [2, 3, 6, 64, 512])
def test_float32_stays_finite_and_close(
    size: int, std: float, tau: float, symmetric: bool
) -> None:
    logits = draw(size, size, std=std, symmetric=symmetric).requires_grad_()

    result = sinkhorn(logits, tau, 20)
    torch.autograd.backward((result * draw(size, size, std=1.0)).sum())

    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    columns = result.sum(0)
    torch.testing.assert_close(columns, torch.ones_like(columns), atol=3e-5, rtol=0)
    expected = oracle(logits.detach(), tau, 20)
    torch.testing.assert_close(result.double(), expected, atol=3e-5, rtol=0)


@pytest.mark.parametrize(("size", "num_iters"), [(1024, 10), (4096, 6)])
def test_large_matrix_at_the_lowest_temperature(size: int, num_iters: int) -> None:
    logits = draw(size, size, std=3.0).requires_grad_()

    result = sinkhorn(logits, 0.05, num_iters)
    torch.autograd.backward(result.square().sum())

    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    expected = oracle(logits.detach(), 0.05, num_iters)
    torch.testing.assert_close(result.detach().double(), expected, atol=3e-5, rtol=0)


@pytest.mark.parametrize(("std", "tau"), [(0.01, 1.0), (0.01, 0.05), (3.0, 1.0)])
def test_the_largest_matrix_is_finite_and_its_columns_sum_to_one(std: float, tau: float) -> None:
    logits = draw(4096, 4096, std=std).requires_grad_()

    result = sinkhorn(logits, tau, 20)
    torch.autograd.backward(result.square().sum())

    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    torch.testing.assert_close(result.sum(0), torch.ones(4096), atol=3e-5, rtol=0)


@pytest.mark.usefixtures("denormals")
@pytest.mark.parametrize("num_iters", [20, 60])
@pytest.mark.parametrize("size", [3, 64, 512])
def test_scalings_that_grow_as_fast_as_possible(size: int, num_iters: int) -> None:
    """All rows except the last prefer column 0, and the last prefers all others.

    So u and v grow n-fold per round, and entries that underflow in K recover only because u and v
    are absorbed in time.
    """
    logits = draw(size, size, std=0.01)
    logits[:-1, 0] += 9
    logits[-1, 1:] += 9
    exact, single = logits.double().requires_grad_(), logits.clone().requires_grad_()
    weights = draw(size, size, std=1.0)

    expected, result = oracle(exact, 0.05, num_iters), sinkhorn(single, 0.05, num_iters)
    (theirs,) = torch.autograd.grad((expected * weights).sum(), exact)
    (ours,) = torch.autograd.grad((result * weights).sum(), single)

    torch.testing.assert_close(result.double(), expected, atol=3e-5, rtol=0)
    torch.testing.assert_close(ours.double(), theirs, atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize("size", [1, 2, 4, 64, 1024, 4096])
@pytest.mark.parametrize("num_iters", [1, 2, 5, 6, 7, 20, 100])
def test_scalings_are_absorbed_before_they_leave_float32(size: int, num_iters: int) -> None:
    plan = rounds_between_absorptions(num_iters, size)
    assert sum(plan) == num_iters
    assert all(rounds > 0 for rounds in plan)
    assert size ** (2 * max(plan[0] - 1, *plan[1:], 0)) < 1e31


def test_thousands_of_hard_draws_are_finite() -> None:
    """Plain scaling fails for more than a quarter of these draws."""
    logits = draw(4000, 2, 2, std=3.0).requires_grad_()

    result = sinkhorn(logits, 0.05, 20)
    torch.autograd.backward(result.square().sum())

    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    torch.testing.assert_close(result.sum(-2), torch.ones(4000, 2), atol=3e-5, rtol=0)


@pytest.mark.parametrize(
    ("size", "std", "tau", "num_iters", "tolerance"),
    [(128, 0.088, 1.0, 5, 1e-6), (128, 0.088, 0.05, 20, 1e-6), (128, 1.0, 0.2, 400, 1e-4)],
)
def test_rows_sum_to_one_where_it_converges(
    size: int, std: float, tau: float, num_iters: int, tolerance: float
) -> None:
    rows = sinkhorn(draw(size, size, std=std, symmetric=True), tau, num_iters).sum(1)
    torch.testing.assert_close(rows, torch.ones(size), atol=tolerance, rtol=0)


def test_few_rounds_at_low_temperature_leave_the_rows_inexact() -> None:
    rows = sinkhorn(draw(128, 128, std=1.0, symmetric=True), 0.05, 20).sum(1)
    assert 0.05 < (rows - 1).abs().max() < 1


@pytest.mark.parametrize("shape", [(5, 5), (3, 4, 4)])
@pytest.mark.parametrize("num_iters", [1, 2, 6, 11])
def test_gradient_against_finite_differences(shape: tuple[int, ...], num_iters: int) -> None:
    logits = draw(*shape, std=0.3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: sinkhorn(w, 0.2, num_iters), logits)


@pytest.mark.parametrize("shape", [(48, 48), (7, 4, 4)])
def test_gradient_of_the_truncated_iteration(shape: tuple[int, ...]) -> None:
    """The gradient equals that of the log-domain loop, even far from convergence."""
    logits = draw(*shape, std=1.0).double().requires_grad_()
    weights = draw(*shape, std=1.0).double()

    (ours,) = torch.autograd.grad((sinkhorn(logits, 0.05, 12) * weights).sum(), logits)
    (theirs,) = torch.autograd.grad((oracle(logits, 0.05, 12) * weights).sum(), logits)

    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)


def test_a_batch_is_normalised_matrix_by_matrix() -> None:
    logits = draw(3, 6, 6, std=1.0)
    each = torch.stack([sinkhorn(matrix, 0.1, 7) for matrix in logits])
    torch.testing.assert_close(sinkhorn(logits, 0.1, 7), each)


def test_autocast_has_no_effect() -> None:
    logits = draw(64, 64, std=1.0).requires_grad_()
    exact = sinkhorn(logits, 0.05, 20)
    (exact_grad,) = torch.autograd.grad(exact[0, 0], logits)

    with torch.autocast("cpu", torch.bfloat16):
        result = sinkhorn(logits, 0.05, 20)
        (grad,) = torch.autograd.grad(result[0, 0], logits)

    assert result.dtype == torch.float32
    torch.testing.assert_close(result, exact, rtol=0, atol=0)
    torch.testing.assert_close(grad, exact_grad, rtol=0, atol=0)


def test_low_precision_logits_are_cast_to_float32() -> None:
    logits = draw(8, 8, std=1.0).bfloat16()
    torch.testing.assert_close(sinkhorn(logits, 0.1, 5), sinkhorn(logits.float(), 0.1, 5))


def test_the_backward_saves_one_matrix_for_any_number_of_iterations() -> None:
    def saved_matrices(num_iters: int) -> int:
        saved: set[int] = set()

        def record(tensor: Tensor) -> Tensor:
            if tensor.numel() >= 32 * 32:
                saved.add(tensor.data_ptr())
            return tensor

        logits = draw(32, 32, std=1.0).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(record, lambda tensor: tensor):
            result = sinkhorn(logits, 0.5, num_iters)
        assert result.requires_grad
        return len(saved)

    assert saved_matrices(3) == saved_matrices(21) == 1


def test_works_on_the_meta_device() -> None:
    assert sinkhorn(torch.empty(9, 9, device="meta"), 0.05, 20).shape == (9, 9)


def test_flops() -> None:
    assert sinkhorn_flops(1024, 20) + sinkhorn_flops(4, 20, count=1024) == 4 * 20 * (
        1024**2 + 1024 * 4**2
    )
