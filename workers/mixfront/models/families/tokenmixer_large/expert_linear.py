"""The linear layers of a sparse pSwiGLU, with the parameters of the dense one.

A layer computes the experts that a grouping's rows selected, or all experts if there is no
grouping.
"""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mixfront.models.families.tokenmixer_large.grouped_product import (
    hidden_to_rows,
    rows_to_hidden,
)
from mixfront.models.families.tokenmixer_large.grouping import Grouping
from mixfront.models.layers.per_token import per_token_weight
from mixfront.models.layers.precision import to_autocast_dtype


@final
class Router(nn.Module):
    """Logits of the routed experts, linear per token, without biases."""

    def __init__(self, num_tokens: int, dim: int, num_routed: int) -> None:
        super().__init__()
        self.weight = per_token_weight(num_tokens, dim, num_routed)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (T, E - 1, N); `x` is read as it is, without a copy by token."""
        apply: Callable[..., Tensor] = _RowsToLogits.apply
        return apply(x, to_autocast_dtype(self.weight))


class _RowsToLogits(torch.autograd.Function):
    """Written out, because autograd would transpose logits and their gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.bmm(weight.mT.contiguous(), x.permute(1, 2, 0))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        of_x = torch.bmm(grad.mT, weight.mT.contiguous()).transpose(0, 1)
        return of_x, torch.bmm(grad, x.transpose(0, 1)).mT


@final
class GateUpExperts(nn.Module):
    """x -> W_gate x + b and W_up x + b of experts."""

    def __init__(
        self, num_tokens: int, dim: int, hidden: int, num_experts: int, *, bias: bool
    ) -> None:
        super().__init__()
        self._num_experts = num_experts
        self.weight = per_token_weight(num_tokens, dim, hidden, parts=2)
        self.bias = nn.Parameter(torch.zeros(num_tokens, 1, 2 * hidden)) if bias else None

    def forward(self, x: Tensor, grouping: Grouping | None) -> Tensor:
        """(N, T, D) -> grouped gates and ups, flat, or those of all experts, (T, N, 2h)."""
        weight, bias = to_autocast_dtype(self.weight), self.bias
        if grouping is not None:
            biases = None if bias is None else self._by_group(bias.to(x.dtype))
            return rows_to_hidden(x, self._by_group(weight), biases, grouping)
        by_token = x.transpose(0, 1)
        if bias is None:
            return torch.bmm(by_token, weight)
        return torch.baddbmm(bias.to(x.dtype), by_token, weight)

    def _by_group(self, weight: Tensor) -> Tensor:
        """(T, in, 2h) -> (T (E - 1), 2, 2, h / E, in)."""
        experts = torch.unflatten(weight.mT, 1, (2, self._num_experts, -1))
        return _with_shared_expert(experts.transpose(1, 2))


@final
class DownExperts(nn.Module):
    """h -> the sum of W_down h over experts, plus b."""

    def __init__(
        self, num_tokens: int, hidden: int, dim: int, num_experts: int, *, bias: bool, scale: float
    ) -> None:
        super().__init__()
        self._num_experts = num_experts
        self.weight = per_token_weight(num_tokens, hidden, dim, scale=scale)
        self.bias = nn.Parameter(torch.zeros(num_tokens, 1, dim)) if bias else None

    def forward(self, hidden: Tensor, grouping: Grouping | None) -> Tensor:
        """Grouped hidden units, flat, or those of all experts, (T, N, h) -> (N, T, D)."""
        weight = to_autocast_dtype(self.weight)
        if grouping is None:
            out = torch.bmm(hidden, weight).transpose(0, 1)
        else:
            experts = torch.unflatten(weight, 1, (1, self._num_experts, -1))
            by_group = _with_shared_expert(experts.transpose(1, 2))
            out = hidden_to_rows(hidden, by_group, grouping)
        return out if self.bias is None else out + self.bias.squeeze(1).to(out.dtype)


def _with_shared_expert(weight: Tensor) -> Tensor:
    """(T, E, p, h / E, in) -> (T (E - 1), p, 2, h / E, in), routed experts with the shared one."""
    routed, shared = torch.split(weight, [weight.shape[1] - 1, 1], dim=1)
    return torch.stack([routed, shared.expand_as(routed)], dim=3).flatten(0, 1)
