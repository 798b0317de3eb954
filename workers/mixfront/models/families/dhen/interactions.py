"""The interaction modules of DHEN's layers, each (N, T, D) -> (N, T, D)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mixfront.models._base import StackContext
from mixfront.models.families.transformer import (
    encoder_layer,
    encoder_layer_flops,
    encoder_layer_params,
)
from mixfront.models.layers.mlp import ReluMLP, dense

ModuleKind = Literal["attention", "dlrm", "cross", "linear"]


@dataclass(frozen=True, kw_only=True)
class ModuleShape:
    """The sizes that modules are built from."""

    num_tokens: int
    dim: int
    num_heads: int
    ffn_hidden: int
    dlrm_hidden: int
    dropout: float = 0.0

    @property
    def dlrm_widths(self) -> list[int]:
        """Input width T (T - 1) / 2, one per pair; hidden width; output width TD."""
        pairs = self.num_tokens * (self.num_tokens - 1) // 2
        return [pairs, self.dlrm_hidden, self.num_tokens * self.dim]


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """One kind of module, with its closed-form parameters and FLOPs per sample."""

    make: Callable[[ModuleShape], nn.Module]
    params: Callable[[ModuleShape], int]
    flops: Callable[[ModuleShape], int]


class Attention(nn.Module):
    """A whole Transformer layer, including its residuals."""

    def __init__(self, shape: ModuleShape) -> None:
        super().__init__()
        self.layer = encoder_layer(
            shape.num_tokens, shape.dim, shape.ffn_hidden, shape.num_heads, shape.dropout
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        out: Tensor = self.layer(x, StackContext(x0=x))
        return out


class DotProducts(nn.Module):
    """AdvancedDLRM: an MLP over the dot products x_i . x_j / sqrt(D) of all pairs i > j."""

    pairs: Tensor

    def __init__(self, shape: ModuleShape) -> None:
        super().__init__()
        tokens = shape.num_tokens
        row, column = torch.tril_indices(tokens, tokens, offset=-1)
        self.register_buffer("pairs", row * tokens + column, persistent=False)
        self.mlp = ReluMLP(shape.dlrm_widths, dropout=shape.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        products = gram(x).flatten(1).index_select(1, self.pairs)
        out: Tensor = self.mlp(products)
        return out.view(x.shape)


class Cross(nn.Module):
    """(X X^T / sqrt(D)) W + b, a factorisation machine with Y = W."""

    def __init__(self, shape: ModuleShape) -> None:
        super().__init__()
        self.expand = dense(shape.num_tokens, shape.dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        out: Tensor = self.expand(gram(x))
        return out


class TokenLinear(nn.Module):
    """W X, a linear map across tokens, without bias."""

    def __init__(self, shape: ModuleShape) -> None:
        super().__init__()
        self.mix = dense(shape.num_tokens, shape.num_tokens, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        out: Tensor = self.mix(x.mT).mT
        return out


def gram(x: Tensor) -> Tensor:
    """X X^T / sqrt(D): (N, T, D) -> (N, T, T)."""
    return x @ x.mT / math.sqrt(x.shape[-1])


MODULES: dict[ModuleKind, Interaction] = {
    "attention": Interaction(
        make=Attention,
        params=lambda s: encoder_layer_params(s.dim, s.ffn_hidden),
        flops=lambda s: encoder_layer_flops(s.num_tokens, s.dim, s.ffn_hidden),
    ),
    "dlrm": Interaction(
        make=DotProducts,
        params=lambda s: ReluMLP.params(s.dlrm_widths),
        flops=lambda s: 2 * s.num_tokens**2 * s.dim + ReluMLP.flops(s.dlrm_widths),
    ),
    "cross": Interaction(
        make=Cross,
        params=lambda s: s.num_tokens * s.dim + s.dim,
        flops=lambda s: 4 * s.num_tokens**2 * s.dim,
    ),
    "linear": Interaction(
        make=TokenLinear,
        params=lambda s: s.num_tokens**2,
        flops=lambda s: 2 * s.num_tokens**2 * s.dim,
    ),
}
