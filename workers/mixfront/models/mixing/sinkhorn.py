"""Sinkhorn normalisation in scaling form, safe in float32 at low temperature.

W^ = SK(W / tau) of UniMixer (arXiv 2604.00590): K = exp(W / tau) made doubly stochastic by
`num_iters` rounds of "normalise rows, then columns", here u = 1 / (K v), v = 1 / (K^T u) from
v = 1. A round takes two matrix-vector products instead of two logsumexp passes over the matrix.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mixfront.models.layers.precision import at_least_fp32, no_autocast

MAX_DECADES = 31  # powers of ten that u_i v_j may span on one K; float32 has 38 each way


def sinkhorn(logits: Tensor, tau: Tensor | float, num_iters: int) -> Tensor:
    """Doubly stochastic matrices from logits.

    Result and gradient are those of the truncated iteration: columns sum to 1, and rows do so
    within a tolerance that depends on `tau` and `num_iters`.

    The first round runs in the log domain, because exp(W / tau) underflows at low temperature.
    From then on the columns of K sum to 1 and its rows to between 1/n and n, so that a round
    changes u and v by a factor of at most n. Before they can leave the range of float32, a
    softmax over the columns of W / tau + log u absorbs them into a new K. No step branches on
    values.

    Args:
        logits: (..., n, n); computed in float32, or in float64 for float64 logits.
        tau: Temperature above 0, a number or a 0-dim tensor.
        num_iters: Rounds, at least 1.

    Returns:
        (..., n, n) in float32 or float64, also under autocast.
    """
    apply: Any = _Sinkhorn.apply  # `apply` has no type in torch
    with no_autocast(logits.device):
        result: Tensor = apply(at_least_fp32(logits) / tau, num_iters)
    return result


def sinkhorn_flops(size: int, num_iters: int, count: int = 1) -> int:
    """FLOPs of one forward on `count` matrices of `size` x `size`."""
    return 4 * num_iters * size * size * count


def rounds_between_absorptions(num_iters: int, size: int) -> list[int]:
    """Rounds on the first K, the second K, and so on; the first round computes the first K."""
    per_kernel = max(1, int(MAX_DECADES / (2 * math.log10(max(size, 2)))))
    starts = range(1 + per_kernel, num_iters, per_kernel)
    later = [min(per_kernel, num_iters - start) for start in starts]
    return [min(1 + per_kernel, num_iters), *later]


class _Sinkhorn(torch.autograd.Function):
    """Saves one matrix, and u and v of every round, for the backward.

    Plain autograd would add an n x n outer product to the gradient for every product of K and a
    vector; kept as vectors, all outer products on one K become a single matrix product.
    """

    @staticmethod
    def forward(ctx: Any, scaled: Tensor, num_iters: int) -> Tensor:
        logs = _columns_outermost(torch.log_softmax(scaled, -1))  # round 1: rows
        us, vs = [torch.ones_like(logs[0])], [torch.ones_like(logs[:, 0])]
        potentials = [torch.zeros_like(logs[0])]
        kernel = torch.softmax(logs, 1)  # round 1: columns
        scratch = torch.empty_like(logs)  # reused, because allocating this much memory is slow
        ctx.plan = rounds_between_absorptions(num_iters, scaled.shape[-1])
        for part, rounds in enumerate(ctx.plan):
            v = torch.ones_like(vs[0])
            if part:
                potentials.append(potentials[-1] + us[-1].log())
                torch.add(logs, potentials[-1], out=scratch)
                torch.softmax(scratch, 1, out=kernel)
            for _ in range(rounds - (part == 0)):
                us.append(_over_columns(kernel, v).reciprocal_())
                v = _over_rows(kernel, us[-1]).reciprocal_()
                vs.append(v)
        ctx.save_for_backward(logs, *(torch.stack(vectors) for vectors in (potentials, us, vs)))
        return _original_layout(kernel.mul_(us[-1]).mul_(vs[-1].unsqueeze(1)), scaled.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        logs, potentials, us, vs = ctx.saved_tensors
        with no_autocast(logs.device):
            result = _columns_outermost(grad)
            scratch, kernel = torch.empty_like(logs), torch.empty_like(logs)
            stop, b = len(us), None
            for part, rounds in reversed(list(enumerate(ctx.plan))):
                torch.add(logs, potentials[part], out=scratch)
                torch.softmax(scratch, 1, out=kernel)
                if b is None:
                    result = (kernel * result).mul_(us[-1]).mul_(vs[-1].unsqueeze(1))
                    a, b = result.sum(0), result.sum(1)
                first = torch.ones_like(vs[0]) if part else _column_sums(logs, kernel)
                span = slice(stop - rounds, stop)
                change, b = _backward_rounds(kernel, us[span], vs[span], first, a, b)
                result.addcmul_(kernel, change, value=-1)
                stop, a = stop - rounds, torch.zeros_like(a)
        return _original_layout(result, grad.shape), None


def _backward_rounds(
    kernel: Tensor, us: Tensor, vs: Tensor, v_before: Tensor, a: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """Backpropagate through the rounds on one K; a and b are the gradients of log u and log v.

    In a round, u inverts the row sums under the previous v, and v inverts the column sums under
    u. Its backward is a -= diag(u) K (v b), then b = -diag(v_before) K^T (u a), then a = 0.

    Returns:
        A matrix to multiply by -K, element by element, for the gradient of the exponents; and b
        before these rounds.
    """
    lefts, rights = [], []
    for k in reversed(range(len(us))):
        before = vs[k - 1] if k else v_before
        weighted_b = vs[k] * b
        weighted_a = us[k] * (a - us[k] * _over_columns(kernel, weighted_b))
        lefts += [weighted_b, before]
        rights += [us[k], weighted_a]
        a, b = torch.zeros_like(a), -before * _over_rows(kernel, weighted_a)
    return _sum_of_outer_products(lefts, rights), b


def _column_sums(logs: Tensor, kernel: Tensor) -> Tensor:
    """Column sums of exp(logs) from the normalised kernel, without a second exp of the matrix."""
    return logs.amax(1).exp() / kernel.amax(1)


# Internally a matrix is stored as [column, row], so that softmax over a column is contiguous. A
# batch is innermost, [column, row, batch]: small matrices vectorise over the batch, where a
# batched product would be all overhead.


def _columns_outermost(matrices: Tensor) -> Tensor:
    if matrices.ndim == 2:
        return matrices.mT.contiguous()
    return matrices.flatten(0, -3).permute(2, 1, 0).contiguous()


def _original_layout(matrices: Tensor, shape: torch.Size) -> Tensor:
    return matrices.mT if len(shape) == 2 else matrices.permute(2, 1, 0).reshape(shape)


def _over_columns(kernel: Tensor, v: Tensor) -> Tensor:
    """K v."""
    if kernel.ndim == 2:
        return torch.mv(kernel.mT, v)
    return (kernel * v.unsqueeze(1)).sum(0)


def _over_rows(kernel: Tensor, u: Tensor) -> Tensor:
    """K^T u."""
    return torch.mv(kernel, u) if kernel.ndim == 2 else (kernel * u).sum(1)


def _sum_of_outer_products(lefts: list[Tensor], rights: list[Tensor]) -> Tensor:
    if lefts[0].ndim == 1:
        return torch.stack(lefts, 1) @ torch.stack(rights)
    total = lefts[0].unsqueeze(1) * rights[0]
    for left, right in zip(lefts[1:], rights[1:], strict=True):
        total.addcmul_(left.unsqueeze(1), right)
    return total
