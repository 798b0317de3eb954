"""Linear layers and FFNs with separate weights per token, as grouped GEMMs.

Shapes: N batch, T tokens, D width, h hidden width. Weights are (T, in, out) and biases
(T, 1, out); one `baddbmm` over T computes all tokens.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.models.layers.precision import to_autocast_dtype


class PerTokenLinear(nn.Module):
    """x_t -> x_t W_t + b_t: (N, T, in) -> (N, T, out).

    Args:
        num_tokens: T.
        dim_in: Input width.
        dim_out: Output width of each part.
        parts: Number of maps fused into one GEMM, each initialised separately.
        shared: Use one W and b for all tokens.
        bias: Whether to add b.
        scale: Factor on the initial weights.
        groups: Group 0..G-1 of every token; tokens of a group share weights. None gives every
            token separate weights.
    """

    groups: Tensor | None

    def __init__(
        self,
        num_tokens: int,
        dim_in: int,
        dim_out: int,
        *,
        parts: int = 1,
        shared: bool = False,
        bias: bool = True,
        scale: float = 1.0,
        groups: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        count = 1 if shared else num_tokens if groups is None else max(groups) + 1
        index = None if groups is None else torch.tensor(groups)
        self.register_buffer("groups", index, persistent=False)
        self.weight = per_token_weight(count, dim_in, dim_out, parts=parts, scale=scale)
        self.bias = nn.Parameter(torch.zeros(count, 1, parts * dim_out)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, in) -> (N, T, out), laid out in memory as (T, N, out)."""
        weight: Tensor = self.weight
        bias: Tensor | None = self.bias
        if weight.shape[0] == 1:
            return F.linear(x, weight[0].mT, None if bias is None else bias[0, 0])
        if self.groups is not None:
            weight = weight[self.groups]
            bias = None if bias is None else bias[self.groups]
        by_token = to_autocast_dtype(x).transpose(0, 1).contiguous()
        if bias is None:
            return torch.bmm(by_token, weight).transpose(0, 1)
        return torch.baddbmm(bias, by_token, weight).transpose(0, 1)


def per_token_weight(
    count: int, dim_in: int, dim_out: int, *, parts: int = 1, scale: float = 1.0
) -> nn.Parameter:
    """The initial (count, in, parts out) weights of a `PerTokenLinear`.

    Xavier per slice: on the whole tensor, nn.init would treat an axis as a receptive field and
    make the weights far too small.
    """
    weight = nn.Parameter(torch.empty(count, dim_in, parts * dim_out))
    bound = scale * math.sqrt(6 / (dim_in + dim_out))
    nn.init.uniform_(weight, -bound, bound)
    return weight


class GeluFFN(nn.Module):
    """Two-layer per-token FFN, W_2 GELU(W_1 x + b_1) + b_2 (RankMixer, Eq. 6-7).

    `shared` and `groups` as in `PerTokenLinear`.
    """

    def __init__(
        self,
        num_tokens: int,
        dim: int,
        hidden: int,
        *,
        dropout: float = 0.0,
        shared: bool = False,
        groups: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.up = PerTokenLinear(num_tokens, dim, hidden, shared=shared, groups=groups)
        self.down = PerTokenLinear(num_tokens, hidden, dim, shared=shared, groups=groups)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        out: Tensor = self.down(self.dropout(gelu(self.up(x))))
        return out

    @staticmethod
    def params(num_tokens: int, dim: int, hidden: int) -> int:
        """T (2Dh + h + D); pass T = 1 for shared weights."""
        return num_tokens * (2 * dim * hidden + hidden + dim)

    @staticmethod
    def flops(num_tokens: int, dim: int, hidden: int) -> int:
        """4TDh per sample."""
        return 4 * num_tokens * dim * hidden


class SwiGluFFN(nn.Module):
    """pSwiGLU: W_down (Swish(W_gate x + b) * (W_up x + b)) + b per token (UniMixer).

    `bias` and `groups` as in `PerTokenLinear`; `down_scale` is the `scale` of W_down.
    """

    def __init__(
        self,
        num_tokens: int,
        dim: int,
        hidden: int,
        *,
        dropout: float = 0.0,
        bias: bool = True,
        down_scale: float = 1.0,
        groups: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.gate_up = PerTokenLinear(num_tokens, dim, hidden, parts=2, bias=bias, groups=groups)
        self.down = PerTokenLinear(
            num_tokens, hidden, dim, bias=bias, scale=down_scale, groups=groups
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        out: Tensor = self.down(self.dropout(swiglu(self.gate_up(x))))
        return out

    @staticmethod
    def params(num_tokens: int, dim: int, hidden: int, *, bias: bool = True) -> int:
        """T (3Dh + 2h + D), or 3TDh without biases."""
        return num_tokens * (3 * dim * hidden + bias * (2 * hidden + dim))

    @staticmethod
    def flops(num_tokens: int, dim: int, hidden: int) -> int:
        """6TDh per sample."""
        return 6 * num_tokens * dim * hidden


def gelu(x: Tensor) -> Tensor:
    """GELU of a `PerTokenLinear`'s output, in its memory layout."""
    if x.is_contiguous():
        return F.gelu(x)
    return F.gelu(x.transpose(0, 1)).transpose(0, 1)  # torch's oneDNN path needs contiguous bf16


def swiglu(gate_up: Tensor) -> Tensor:
    """Swish(gate) * up of [gate, up]: (N, T, 2h) -> (N, T, h)."""
    # Split in the memory layout, (T, N, 2h): autograd concatenates the gradients of the halves in
    # axis order, and would otherwise have to transpose them for the GEMMs.
    gate, up = gate_up.transpose(0, 1).chunk(2, dim=-1)
    return (F.silu(gate) * up).transpose(0, 1)


def gelu_hidden(configured: int, dim: int) -> int:
    """Hidden width of a two-layer FFN; 0 means the default, 2D."""
    return configured or 2 * dim


def swiglu_hidden(configured: int, dim: int) -> int:
    """Hidden width of a pSwiGLU; 0 gives as many parameters as a two-layer FFN of width 2D."""
    return configured or round(4 * dim / 3)
