"""Sinkhorn normalisation in scaling form, safe in float32 at low temperature.

W^ = SK(W / tau) of UniMixer (arXiv 2604.00590): K = exp(W / tau) made doubly stochastic by
`num_iters` rounds of "rows, then columns", here u = 1 / (K v), v = 1 / (K^T u) from v = 1.
Two matrix-vector products a round instead of two logsumexp passes over the matrix.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mixfront.models.precision import at_least_fp32, outside_autocast

ABSORB_EVERY = 5


def sinkhorn(logits: Tensor, tau: Tensor | float, num_iters: int) -> Tensor:
    """Doubly stochastic matrices from logits.

    The result is that of the truncated iteration, and so is its gradient: columns sum to 1,
    rows within a tolerance that depends on `tau` and `num_iters`.

    The first round runs in the log domain: exp(W / tau) itself underflows at low temperature.
    Afterwards K has columns that sum to 1 and rows between 1/n and n, and the scalings are
    absorbed into the exponents every `ABSORB_EVERY` rounds. There is no branch on values.

    Args:
        logits: (..., n, n); computed in float32, or in float64 if given so.
        tau: Temperature, a number or a 0-dim tensor, above 0.
        num_iters: Rounds of rows and columns, at least 1.

    Returns:
        (..., n, n), float32 or float64, never under autocast.
    """
    with outside_autocast(logits.device):
        scaled = at_least_fp32(logits) / tau
        f = -torch.logsumexp(scaled, dim=-1, keepdim=True)
        g = -torch.logsumexp(scaled + f, dim=-2, keepdim=True)
        kernel = torch.exp(scaled + f + g)
        for rounds in rounds_between_absorptions(num_iters - 1):
            u, v = _scale(kernel, rounds)
            f = f + torch.log(u).unsqueeze(-1)
            g = g + torch.log(v).unsqueeze(-2)
            kernel = torch.exp(scaled + f + g)
        return kernel


def sinkhorn_flops(size: int, num_iters: int, count: int = 1) -> int:
    """FLOPs of one forward of `count` matrices of `size` x `size`."""
    return 4 * num_iters * size * size * count


def _scale(kernel: Tensor, num_iters: int) -> tuple[Tensor, Tensor]:
    apply: Any = _Scaling.apply  # torch leaves it untyped
    u, v = apply(kernel, num_iters)
    return u, v


def rounds_between_absorptions(num_iters: int) -> list[int]:
    """`ABSORB_EVERY` again and again, and what is left."""
    full, rest = divmod(num_iters, ABSORB_EVERY)
    return [ABSORB_EVERY] * full + [rest] * (rest > 0)


def _times(kernel: Tensor, vector: Tensor) -> Tensor:
    """K v; small batched matrices go elementwise, where a batched product is all overhead."""
    if kernel.ndim == 2:
        return torch.mv(kernel, vector)
    return (kernel * vector.unsqueeze(-2)).sum(-1)


class _Scaling(torch.autograd.Function):
    """Some rounds of u = 1 / (K v), v = 1 / (K^T u) from v = 1; returns the last u and v.

    Plain autograd would add one outer product of size n x n to the gradient of K for every
    product; kept as vectors they become a single matrix product at the end.
    """

    @staticmethod
    def forward(ctx: Any, kernel: Tensor, num_iters: int) -> tuple[Tensor, Tensor]:
        us, vs = [], [torch.ones_like(kernel[..., 0, :])]
        for _ in range(num_iters):
            us.append(_times(kernel, vs[-1]).reciprocal())
            vs.append(_times(kernel.mT, us[-1]).reciprocal())
        ctx.save_for_backward(kernel, *us, *vs)
        return us[-1], vs[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_u: Tensor, grad_v: Tensor) -> tuple[Tensor, None]:
        kernel, *scalings = ctx.saved_tensors
        us, vs = scalings[: len(scalings) // 2], scalings[len(scalings) // 2 :]
        lefts, rights = [], []
        with outside_autocast(kernel.device):
            for k in reversed(range(len(us))):
                grad_sum = -grad_v * vs[k + 1].square()  # of K^T u
                lefts.append(us[k])
                rights.append(grad_sum)
                grad_u = grad_u + _times(kernel, grad_sum)
                grad_sum = -grad_u * us[k].square()  # of K v
                lefts.append(grad_sum)
                rights.append(vs[k])
                grad_v = _times(kernel.mT, grad_sum)
                grad_u = torch.zeros_like(grad_u)
            return torch.stack(lefts, -1) @ torch.stack(rights, -2), None
