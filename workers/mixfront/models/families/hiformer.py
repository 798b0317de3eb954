"""HiFormer (Google, arXiv 2311.05884): attention with low-rank composite projections."""

import math
from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Family, repeated
from mixfront.models.families.heterogeneous_attention import (
    AUTHORS_BASELINE,
    PerTokenEncoderConfig,
)
from mixfront.models.layers.attention import attend, attention_flops
from mixfront.models.layers.mlp import dense
from mixfront.models.layers.per_token import PerTokenLinear
from mixfront.models.origins import Origins, OurDefault


class HiFormerLayerConfig(PerTokenEncoderConfig):
    """Abstract: hyperparameters of families with HiFormer layers."""

    rank: OurDefault[int] = Field(
        64, ge=0, le=65536, description="rank r of the composite projections; 0 = full matrices"
    )
    factor_std: OurDefault[float] = Field(
        0.0,
        ge=0,
        le=1,
        description="standard deviation of the initial factors of the composite projections "
        "(UniMixer's authors: 0.001); 0 = their product starts with the variance of a Xavier "
        "matrix",
    )

    @model_validator(mode="after")
    def _has_factors(self) -> "HiFormerLayerConfig":
        if self.factor_std and not self.rank:
            raise ValueError(
                f"factor_std {self.factor_std:g} needs factors, which rank 0 does not have; "
                "set factor_std to 0, or a rank above 0"
            )
        return self

    def hiformer_params(self) -> int:
        """Per layer, 6TDr + TD^2, or 3(TD)^2 + TD^2 at full rank, plus the FFN's."""
        ffn = self.ffn_params(self.num_tokens)
        return self._projection_weights() + self._output_weights() + ffn

    def hiformer_flops(self) -> int:
        """12TDr + 2TD^2 + 4T^2D + 4kTD^2 per layer and sample; at full rank 6(TD)^2, not 12TDr."""
        products = 2 * (self._projection_weights() + self._output_weights())
        attention = attention_flops(self.num_tokens, self.token_dim)
        return products + attention + self.ffn_flops()

    def _projection_weights(self) -> int:
        length = self.num_tokens * self.token_dim
        return 6 * length * self.rank if self.rank else 3 * length**2

    def _output_weights(self) -> int:
        return self.num_tokens * self.token_dim**2


class HiFormerConfig(HiFormerLayerConfig):
    """Config of `hiformer`; the paper's task tokens are left out."""

    inherited_origins: ClassVar[Origins] = {**AUTHORS_BASELINE, "rank": "authors' code"}


class LowRankComposite(nn.Module):
    """Q^, K^ and V^ of the flattened input as products A B of rank r.

    A and B start at deviation `factor_std`; if it is 0, A B starts with the variance of a Xavier
    matrix of TD x TD.
    """

    def __init__(self, length: int, rank: int, factor_std: float = 0.0) -> None:
        super().__init__()
        self.reduce = nn.Parameter(torch.empty(length, 3 * rank))  # A_Q | A_K | A_V
        self.expand = nn.Parameter(torch.empty(3, rank, length))  # B_Q, B_K, B_V
        nn.init.normal_(self.reduce, std=factor_std or 1 / math.sqrt(length))
        nn.init.normal_(self.expand, std=factor_std or 1 / math.sqrt(rank))

    def forward(self, x: Tensor) -> Tensor:
        """(N, L) -> (3, N, L)."""
        reduced = (x @ self.reduce).view(len(x), 3, -1).transpose(0, 1)
        return torch.bmm(reduced, self.expand)


class FullComposite(nn.Module):
    """Q^, K^ and V^ of the flattened input as full matrices."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(dense(length, length, bias=False) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, L) -> (3, N, L)."""
        return torch.stack([layer(x) for layer in self.maps])


class CompositeAttention(nn.Module):
    """[q_1..q_T] = concat(x_1..x_T) Q^, likewise K and V; attention; then o_i -> o_i O_i.

    `factor_std` as in `LowRankComposite`.
    """

    def __init__(
        self, num_tokens: int, dim: int, num_heads: int, rank: int, factor_std: float = 0.0
    ) -> None:
        super().__init__()
        length = num_tokens * dim
        self._num_heads = num_heads
        self.project = (
            LowRankComposite(length, rank, factor_std) if rank else FullComposite(length)
        )
        self.output = PerTokenLinear(num_tokens, dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        query, key, value = self.project(x.flatten(1)).view(3, *x.shape)
        out: Tensor = self.output(attend(query, key, value, self._num_heads))
        return out


def hiformer_block(config: HiFormerLayerConfig) -> Block:
    """One layer."""
    attention = CompositeAttention(
        config.num_tokens, config.token_dim, config.num_heads, config.rank, config.factor_std
    )
    return config.make_block(attention)


def hiformer_cost(config: HiFormerConfig) -> BlockCost:
    """Closed form, from the config's `hiformer_params` and `hiformer_flops`."""
    return BlockCost(
        params=config.num_blocks * config.hiformer_params(),
        flops_per_sample=config.num_blocks * config.hiformer_flops(),
    )


HIFORMER = Family(
    name="hiformer",
    summary="attention with low-rank composite projections (arXiv 2311.05884)",
    config=HiFormerConfig,
    blocks=repeated(hiformer_block),
    cost=hiformer_cost,
)
