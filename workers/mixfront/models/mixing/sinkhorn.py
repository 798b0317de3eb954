"""Sinkhorn normalisation in scaling form, safe in float32 at low temperature.

W^ = SK(W / tau) of UniMixer (arXiv 2604.00590): K = exp(W / tau) made doubly stochastic by
`num_iters` rounds of "rows, then columns", here u = 1 / (K v), v = 1 / (K^T u) from v = 1.
Two matrix-vector products a round instead of two logsumexp passes over the matrix.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mixfront.models.layers.precision import at_least_fp32, outside_autocast

DECADES = 31  # that u_i v_j may span on one K; float32 has 38 on either side of 1


def sinkhorn(logits: Tensor, tau: Tensor | float, num_iters: int) -> Tensor:
    """Doubly stochastic matrices from logits.

    The result is that of the truncated iteration, and so is its gradient: columns sum to 1,
    rows within a tolerance that depends on `tau` and `num_iters`.

    The first round runs in the log domain: exp(W / tau) itself underflows at low temperature.
    Afterwards K has columns that sum to 1 and rows between 1/n and n, a round changes u and v
    by no more than that, and before they can leave float32 a softmax over the columns of
    W / tau + log u absorbs them. There is no branch on values.

    Args:
        logits: (..., n, n); computed in float32, or in float64 if given so.
        tau: Temperature, a number or a 0-dim tensor, above 0.
        num_iters: Rounds of rows and columns, at least 1.

    Returns:
        (..., n, n), float32 or float64, never under autocast.
    """
    apply: Any = _Sinkhorn.apply  # torch leaves it untyped
    with outside_autocast(logits.device):
        result: Tensor = apply(at_least_fp32(logits) / tau, num_iters)
    return result


def sinkhorn_flops(size: int, num_iters: int, count: int = 1) -> int:
    """FLOPs of one forward of `count` matrices of `size` x `size`."""
    return 4 * num_iters * size * size * count


def rounds_between_absorptions(num_iters: int, size: int) -> list[int]:
    """Rounds on the first K, which is made by the first of them, on the second, and so on."""
    most = max(1, int(DECADES / (2 * math.log10(max(size, 2)))))
    later = [min(most, num_iters - done) for done in range(1 + most, num_iters, most)]
    return [min(1 + most, num_iters), *later]


class _Sinkhorn(torch.autograd.Function):
    """Keeps one matrix, and u and v of every round, for the backward.

    Plain autograd would add one outer product of size n x n to the gradient for every product
    of K and a vector; kept as vectors they become a single matrix product for each K.
    """

    @staticmethod
    def forward(ctx: Any, scaled: Tensor, num_iters: int) -> Tensor:
        logs = _columns_outermost(torch.log_softmax(scaled, -1))  # rows of the first round
        us, vs = [torch.ones_like(logs[0])], [torch.ones_like(logs[:, 0])]
        potentials = [torch.zeros_like(logs[0])]
        kernel = torch.softmax(logs, 1)  # its columns
        scratch = torch.empty_like(logs)  # fresh memory of this size is slow
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
        ctx.save_for_backward(logs, *(torch.stack(kept) for kept in (potentials, us, vs)))
        return _as_given(kernel.mul_(us[-1]).mul_(vs[-1].unsqueeze(1)), scaled.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        logs, potentials, us, vs = ctx.saved_tensors
        with outside_autocast(logs.device):
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
                change, b = _through_rounds(kernel, us[span], vs[span], first, a, b)
                result.addcmul_(kernel, change, value=-1)
                stop, a = stop - rounds, torch.zeros_like(a)
        return _as_given(result, grad.shape), None


def _through_rounds(
    kernel: Tensor, us: Tensor, vs: Tensor, v_before: Tensor, a: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """Back through some rounds on one K, with the gradients a of log u and b of log v.

    u of a round is the inverse of row sums with the v before it, v that of column sums with u:
    a -= diag(u) K (v b), then b = -diag(v_before) K^T (u a), and a is 0 again.

    Returns:
        What, times K and with a minus, goes to the exponents, and b before the rounds.
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
    """Column sums of exp(logs), given its columns divided by them; no second exp over all."""
    return logs.amax(1).exp() / kernel.amax(1)


# Inside, a matrix is [column, row]: softmax over a column then runs along memory. A batch lies
# innermost, [column, row, batch]: small matrices vectorise over it, where a batched product is
# all overhead.


def _columns_outermost(matrices: Tensor) -> Tensor:
    if matrices.ndim == 2:
        return matrices.mT.contiguous()
    return matrices.flatten(0, -3).permute(2, 1, 0).contiguous()


def _as_given(matrices: Tensor, shape: torch.Size) -> Tensor:
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
