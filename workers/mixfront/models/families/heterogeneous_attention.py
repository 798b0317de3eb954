"""Heterogeneous attention, the first half of HiFormer (arXiv 2311.05884): weights per token."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Family, RankerConfig, repeated
from mixfront.models.layers.attention import attend, attention_flops, check_heads
from mixfront.models.layers.encoder_block import EncoderBlock, NormPosition
from mixfront.models.layers.norms import norm_params
from mixfront.models.layers.per_token import GeluFFN, PerTokenLinear, SwiGluFFN

FFNKind = Literal["gelu", "swiglu"]


class PerTokenEncoderConfig(RankerConfig):
    """Abstract: keys of the encoders whose weights belong to a token."""

    num_heads: int = Field(4, ge=1, le=256, description="attention heads H; divides token_dim")
    ffn: FFNKind = Field(
        "gelu", description="per-token network: two layers with GELU, or pSwiGLU; a choice"
    )
    ffn_expansion: int = Field(
        2, ge=1, le=64, description="expansion k: the network's hidden width over token_dim"
    )
    norm_pos: NormPosition = Field(
        "pre", description="LayerNorm before attention and network, or after residuals; a choice"
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "PerTokenEncoderConfig":
        check_heads(self)
        return self

    @property
    def hidden(self) -> int:
        """Hidden width kD of the per-token network."""
        return self.ffn_expansion * self.token_dim

    def network(self, groups: Sequence[int] | None = None) -> nn.Module:
        """One layer's per-token network, or one whose tokens share weights in groups."""
        kind = GeluFFN if self.ffn == "gelu" else SwiGluFFN
        return kind(
            self.num_tokens, self.token_dim, self.hidden, dropout=self.dropout, groups=groups
        )

    def network_params(self, num_groups: int) -> int:
        """Parameters of `network` and the block's two norms."""
        kind = GeluFFN if self.ffn == "gelu" else SwiGluFFN
        norms = 2 * norm_params("layer", self.token_dim)
        return kind.params(num_groups, self.token_dim, self.hidden) + norms

    def network_flops(self) -> int:
        """FLOPs of `network` a sample."""
        kind = GeluFFN if self.ffn == "gelu" else SwiGluFFN
        return kind.flops(self.num_tokens, self.token_dim, self.hidden)


class HeterogeneousAttentionConfig(PerTokenEncoderConfig):
    """Config of `heterogeneous_attention`."""


class HeterogeneousAttention(nn.Module):
    """s_ij = (x_i Q_i)(x_j K_j)^T / sqrt(D/H); o_i = concat_h(sum_j A_ij x_j V_j) O_i; no biases.

    `groups` as in `PerTokenLinear`: tokens of one group have the same Q, K, V, O.
    """

    def __init__(
        self, num_tokens: int, dim: int, num_heads: int, groups: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self._num_heads = num_heads
        self.project = PerTokenLinear(num_tokens, dim, dim, parts=3, bias=False, groups=groups)
        self.output = PerTokenLinear(num_tokens, dim, dim, bias=False, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        query, key, value = self.project(x).chunk(3, dim=-1)
        out: Tensor = self.output(attend(query, key, value, self._num_heads))
        return out


def heterogeneous_block(
    config: PerTokenEncoderConfig, groups: Sequence[int] | None = None
) -> Block:
    """One layer; tokens of one group share all weights."""
    attention = HeterogeneousAttention(
        config.num_tokens, config.token_dim, config.num_heads, groups
    )
    return EncoderBlock(config.token_dim, attention, config.network(groups), config.norm_pos)


def heterogeneous_params(config: PerTokenEncoderConfig, num_groups: int) -> int:
    """G (4D^2 + 2kD^2 + kD + D) + 4D a layer, G = T where every token has its own weights."""
    return 4 * num_groups * config.token_dim**2 + config.network_params(num_groups)


def heterogeneous_flops(config: PerTokenEncoderConfig) -> int:
    """8TD^2 + 4T^2D + 4kTD^2 a layer and sample, however many groups."""
    tokens, dim = config.num_tokens, config.token_dim
    return 8 * tokens * dim * dim + attention_flops(tokens, dim) + config.network_flops()


def heterogeneous_cost(config: HeterogeneousAttentionConfig) -> BlockCost:
    """Closed form, as above."""
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
