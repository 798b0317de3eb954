"""The linear layers of a sparse pSwiGLU, with the parameters of the dense one."""

from typing import final

import torch
from torch import Tensor, nn

from mixfront.models.families.tokenmixer_large.grouped_product import (
    hidden_to_rows,
    rows_to_hidden,
    split_hidden,
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
        return torch.bmm(x.transpose(0, 1), self.weight).mT


@final
class GateUpExperts(nn.Module):
    """x -> W_gate x + b and W_up x + b of the experts that a row selected."""

    def __init__(
        self, num_tokens: int, dim: int, hidden: int, num_experts: int, *, bias: bool
    ) -> None:
        super().__init__()
        self._num_experts = num_experts
        self.weight = per_token_weight(num_tokens, dim, hidden, parts=2)
        self.bias = nn.Parameter(torch.zeros(num_tokens, 1, 2 * hidden)) if bias else None

    def forward(self, x: Tensor, grouping: Grouping) -> Tensor:
        """(N, T, D) -> (c, 2s h / E, P) of every bucket, flat."""
        flat = rows_to_hidden(x, self._pick(to_autocast_dtype(self.weight), grouping), grouping)
        if self.bias is None:
            return flat
        biases = self._pick(self.bias.to(x.dtype), grouping)
        units = biases[0].shape[1] // grouping.buckets[0].experts.shape[1]
        pairs = zip(split_hidden(flat, grouping, units), biases, strict=True)
        return torch.cat([(y + bias).flatten() for y, bias in pairs])

    def _pick(self, x: Tensor, grouping: Grouping) -> list[Tensor]:
        """(T, in, 2h) -> (c, 2s h / E, in) of every bucket."""
        split = torch.unflatten(x, -1, (2, self._num_experts, -1)).permute(0, 3, 2, 4, 1)
        return [bucket.pick(split) for bucket in grouping.buckets]


@final
class DownExperts(nn.Module):
    """h -> the sum of W_down h over the experts that a row selected, plus b."""

    def __init__(
        self, num_tokens: int, hidden: int, dim: int, num_experts: int, *, bias: bool, scale: float
    ) -> None:
        super().__init__()
        self._num_experts = num_experts
        self.weight = per_token_weight(num_tokens, hidden, dim, scale=scale)
        self.bias = nn.Parameter(torch.zeros(num_tokens, 1, dim)) if bias else None

    def forward(self, hidden: list[Tensor], grouping: Grouping) -> Tensor:
        """(c, s, h / E, P) of every bucket, 0 in padding -> (N, T, D)."""
        weight = torch.unflatten(to_autocast_dtype(self.weight), 1, (self._num_experts, -1))
        weights = [bucket.pick(weight) for bucket in grouping.buckets]
        out = hidden_to_rows([units.flatten(1, 2) for units in hidden], weights, grouping)
        return out if self.bias is None else out + self.bias.squeeze(1).to(out.dtype)
