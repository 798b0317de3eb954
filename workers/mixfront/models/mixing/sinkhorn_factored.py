"""Sinkhorn on a matrix that is represented by two factors and never formed.

W^ = diag(u) A B diag(v) with positive factors A = exp(A_G / tau) (n x r) and B = exp(B_G / tau)
(r x n), made doubly stochastic by `num_iters` rounds of "normalise rows, then columns". It equals
`sinkhorn` on the logits log(A B) at temperature 1, at 8 n r FLOPs per round instead of 4 n^2. The
rank of W^ is at most r, which rules out permutations if r < n.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mixfront.models.layers.precision import at_least_fp32, no_autocast
from mixfront.models.mixing.sinkhorn import rounds_between_absorptions


def sinkhorn_factored(
    left: Tensor, right: Tensor, tau: Tensor | float, num_iters: int
) -> tuple[Tensor, Tensor]:
    """Two factors whose product has columns that sum to 1, and rows that do so approximately.

    The first round runs in the log domain, because the factors overflow at low temperature. From
    then on the rows of the right factor sum to 1, so that nothing under- or overflows, and the
    scalings are absorbed into the exponents every few rounds.

    Args:
        left: A_G (n, r); computed in float32, or in float64 for a float64 A_G.
        right: B_G (r, n).
        tau: Temperature, above 0.
        num_iters: Rounds, at least 1.

    Returns:
        (n, r) and (r, n) in float32 or float64, also under autocast.
    """
    with no_autocast(left.device):
        a, b = at_least_fp32(left) / tau, at_least_fp32(right) / tau
        f = -torch.logsumexp(a + b.logsumexp(1), dim=1)
        g = -torch.logsumexp(b + torch.logsumexp(a + f[:, None], dim=0)[:, None], dim=0)
        first, second = _factors(a, b, f, g)
        plan = rounds_between_absorptions(num_iters, len(a))
        plan[0] -= 1
        for rounds in filter(None, plan):
            log_u, log_v = _scale(first, second, rounds)
            f, g = f + log_u, g + log_v
            first, second = _factors(a, b, f, g)
        return first, second


def sinkhorn_factored_flops(size: int, rank: int, num_iters: int) -> int:
    """FLOPs of one forward: 8 n r per round."""
    return 8 * size * rank * num_iters


def _factors(a: Tensor, b: Tensor, f: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """exp(a + f + c) and exp(b + g - c), with c such that the rows of the second sum to 1."""
    scaled = b + g
    return torch.exp(a + f[:, None] + scaled.logsumexp(1)), torch.softmax(scaled, 1)


def _scale(first: Tensor, second: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    apply: Any = _Scaling.apply  # `apply` has no type in torch
    log_u, log_v = apply(first, second, rounds)
    return log_u, log_v


class _Scaling(torch.autograd.Function):
    """Rounds of u = 1 / (A (B v)), v = 1 / (B^T (A^T u)) from v = 1; returns log u and log v.

    As in `sinkhorn`, the backward keeps outer products as vectors until one GEMM per factor.
    """

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
        us, vs = [], [torch.ones_like(second[0])]
        for _ in range(rounds):
            us.append(torch.mv(first, torch.mv(second, vs[-1])).reciprocal_())
            vs.append(torch.mv(second.mT, torch.mv(first.mT, us[-1])).reciprocal_())
        ctx.save_for_backward(first, second, *us, *vs)
        return us[-1].log(), vs[-1].log()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, None]:
        first, second, *scalings = ctx.saved_tensors
        us, vs = scalings[: len(scalings) // 2], scalings[len(scalings) // 2 :]
        first_outer: list[tuple[Tensor, Tensor]] = []  # vectors of the gradient's outer products
        second_outer: list[tuple[Tensor, Tensor]] = []
        with no_autocast(first.device):
            for k in reversed(range(len(us))):
                grad_sum = b * vs[k + 1]  # negated gradient of the column sums
                inner = torch.mv(second, grad_sum)
                second_outer.append((torch.mv(first.mT, us[k]), grad_sum))
                first_outer.append((us[k], inner))
                grad_sum = us[k] * (a - us[k] * torch.mv(first, inner))  # the same of the row sums
                inner = torch.mv(first.mT, grad_sum)
                first_outer.append((grad_sum, torch.mv(second, vs[k])))
                second_outer.append((inner, vs[k]))
                a, b = torch.zeros_like(a), -vs[k] * torch.mv(second.mT, inner)
            return _sum_outer(first_outer).neg_(), _sum_outer(second_outer).neg_(), None


def _sum_outer(outer: list[tuple[Tensor, Tensor]]) -> Tensor:
    lefts, rights = zip(*outer, strict=True)
    return torch.stack(lefts, 1) @ torch.stack(rights)
