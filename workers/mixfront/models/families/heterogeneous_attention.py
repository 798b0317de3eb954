"""Heterogeneous attention: per-token projections and FFNs (Google, arXiv 2311.05884).

From the first half of the HiFormer paper.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Family, NormKind, RankerConfig, repeated
from mixfront.models.layers.attention import attend, attention_flops, check_heads
from mixfront.models.layers.encoder_block import EncoderBlock, NormPosition
from mixfront.models.layers.norms import norm_params
from mixfront.models.layers.per_token import GeluFFN, PerTokenLinear, SwiGluFFN
from mixfront.models.origins import Origins, OurDefault

FFNKind = Literal["gelu", "swiglu"]

# UniMixer's authors train heterogeneous attention and HiFormer as baselines, with post-norms.
AUTHORS_BASELINE: Origins = {
    "num_blocks": "authors' code",
    "num_heads": "authors' code",
    "ffn": "authors' code",
    "ffn_expansion": "authors' code",
}


class PerTokenEncoderConfig(RankerConfig):
    """Abstract: hyperparameters of encoders with per-token weights."""

    num_heads: OurDefault[int] = Field(
        4, ge=1, le=256, description="attention heads H, a divisor of token_dim"
    )
    ffn: OurDefault[FFNKind] = Field(
        "gelu",
        description="per-token FFN: two layers with GELU, or pSwiGLU; not specified in the paper",
    )
    ffn_expansion: OurDefault[int] = Field(
        2, ge=1, le=64, description="expansion k: hidden width of the FFN divided by token_dim"
    )
    norm_pos: OurDefault[NormPosition] = Field(
        "pre",
        description="norms before attention and FFN (pre), or after the residuals (post); not "
        "specified in the paper",
    )
    norm: OurDefault[NormKind] = Field(
        "layer", description="RMSNorm or LayerNorm, for all norms; not specified in the paper"
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "PerTokenEncoderConfig":
        check_heads(self)
        return self

    @property
    def hidden(self) -> int:
        """Hidden width kD of the per-token FFN."""
        return self.ffn_expansion * self.token_dim

    @property
    def value_dim(self) -> int:
        """Width of a token's values, all heads together."""
        return self.token_dim

    def make_ffn(self, groups: Sequence[int] | None = None) -> nn.Module:
        """The FFN of one layer, with `groups` as in `PerTokenLinear`."""
        kind = GeluFFN if self.ffn == "gelu" else SwiGluFFN
        return kind(
            self.num_tokens, self.token_dim, self.hidden, dropout=self.dropout, groups=groups
        )

    def make_block(self, attention: nn.Module, groups: Sequence[int] | None = None) -> Block:
        """One layer around `attention`, with `groups` as in `PerTokenLinear`."""
        ffn = self.make_ffn(groups)
        return EncoderBlock(self.token_dim, attention, ffn, self.norm_pos, self.norm)

    def ffn_params(self, num_groups: int) -> int:
        """Parameters of a layer's FFN and its two norms."""
        kind = GeluFFN if self.ffn == "gelu" else SwiGluFFN
        norms = 2 * norm_params(self.norm, self.token_dim)
        return kind.params(num_groups, self.token_dim, self.hidden) + norms

    def ffn_flops(self) -> int:
        """FLOPs of a layer's FFN per sample."""
        kind = GeluFFN if self.ffn == "gelu" else SwiGluFFN
        return kind.flops(self.num_tokens, self.token_dim, self.hidden)


class HeterogeneousAttentionConfig(PerTokenEncoderConfig):
    """Config of `heterogeneous_attention`."""

    inherited_origins: ClassVar[Origins] = AUTHORS_BASELINE

    wide_values: OurDefault[bool] = Field(
        False,
        description="values of width D for every head, and an output projection from HD to D, as "
        "UniMixer's authors have; false = D/H",
    )

    @property
    def value_dim(self) -> int:
        """HD or D."""
        return (self.num_heads if self.wide_values else 1) * self.token_dim


class HeterogeneousAttention(nn.Module):
    """s_ij = (x_i Q_i)(x_j K_j)^T / sqrt(D/H); o_i = concat_h(sum_j A_ij x_j V_j) O_i; no biases.

    `groups` as in `PerTokenLinear`: tokens of a group share Q, K, V and O. `value_dim` is the
    width of the values of all heads together, a multiple of D; None is D.
    """

    def __init__(
        self,
        num_tokens: int,
        dim: int,
        num_heads: int,
        groups: Sequence[int] | None = None,
        value_dim: int | None = None,
    ) -> None:
        super().__init__()
        value_dim = value_dim or dim
        self._num_heads = num_heads
        self._widths = [dim, dim, value_dim]
        parts = sum(self._widths) // dim
        self.project = PerTokenLinear(num_tokens, dim, dim, parts=parts, bias=False, groups=groups)
        self.output = PerTokenLinear(num_tokens, value_dim, dim, bias=False, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        query, key, value = self.project(x).split(self._widths, dim=-1)
        out: Tensor = self.output(attend(query, key, value, self._num_heads))
        return out


def heterogeneous_block(
    config: PerTokenEncoderConfig, groups: Sequence[int] | None = None
) -> Block:
    """One layer; tokens of a group share all weights."""
    attention = HeterogeneousAttention(
        config.num_tokens, config.token_dim, config.num_heads, groups, config.value_dim
    )
    return config.make_block(attention, groups)


def heterogeneous_params(config: PerTokenEncoderConfig, num_groups: int) -> int:
    """G (2D^2 + 2DV + 2kD^2 + kD + D) + 4D per layer, V = D or HD; G = T without groups."""
    projections = 2 * config.token_dim * (config.token_dim + config.value_dim)
    return num_groups * projections + config.ffn_params(num_groups)


def heterogeneous_flops(config: PerTokenEncoderConfig) -> int:
    """4TD (D + V) + 2T^2 (D + V) + 4kTD^2 per layer and sample, independent of groups."""
    tokens, dim, values = config.num_tokens, config.token_dim, config.value_dim
    projections = 4 * tokens * dim * (dim + values)
    return projections + attention_flops(tokens, dim, values) + config.ffn_flops()


def heterogeneous_cost(config: HeterogeneousAttentionConfig) -> BlockCost:
    """Closed form, from `heterogeneous_params` and `heterogeneous_flops`."""
    return BlockCost(
        params=config.num_blocks * heterogeneous_params(config, config.num_tokens),
        flops_per_sample=config.num_blocks * heterogeneous_flops(config),
    )


HETEROGENEOUS_ATTENTION = Family(
    name="heterogeneous_attention",
    summary="attention with per-token projections (arXiv 2311.05884)",
    config=HeterogeneousAttentionConfig,
    blocks=repeated(heterogeneous_block),
    cost=heterogeneous_cost,
)
