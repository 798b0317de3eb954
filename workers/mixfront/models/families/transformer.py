"""Transformer encoder (arXiv 1706.03762), pre-norm, with weights shared across tokens."""

from pydantic import Field, model_validator
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Family, RankerConfig, repeated
from mixfront.models.layers.attention import attend, attention_flops, check_heads
from mixfront.models.layers.encoder_block import EncoderBlock
from mixfront.models.layers.norms import norm_params
from mixfront.models.layers.per_token import GeluFFN, PerTokenLinear, gelu_hidden
from mixfront.models.origins import OurDefault


class TransformerConfig(RankerConfig):
    """Config of `transformer`."""

    num_heads: OurDefault[int] = Field(
        4, ge=1, le=256, description="attention heads H, a divisor of token_dim"
    )
    ffn_hidden: OurDefault[int] = Field(
        0, ge=0, le=65536, description="hidden width h of the GELU FFN; 0 = 2 * token_dim"
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "TransformerConfig":
        check_heads(self)
        return self

    @property
    def hidden(self) -> int:
        """Hidden width h of the FFN."""
        return gelu_hidden(self.ffn_hidden, self.token_dim)


class SelfAttention(nn.Module):
    """Multi-head self-attention over tokens, with biases."""

    def __init__(self, num_tokens: int, dim: int, num_heads: int) -> None:
        super().__init__()
        self._num_heads = num_heads
        self.project = PerTokenLinear(num_tokens, dim, dim, parts=3, shared=True)
        self.output = PerTokenLinear(num_tokens, dim, dim, shared=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        query, key, value = self.project(x).chunk(3, dim=-1)
        out: Tensor = self.output(attend(query, key, value, self._num_heads))
        return out


def encoder_layer(num_tokens: int, dim: int, hidden: int, num_heads: int, dropout: float) -> Block:
    """x += MHA(LN x); x += FFN(LN x)."""
    attention = SelfAttention(num_tokens, dim, num_heads)
    ffn = GeluFFN(num_tokens, dim, hidden, dropout=dropout, shared=True)
    return EncoderBlock(dim, attention, ffn)


def encoder_layer_params(dim: int, hidden: int) -> int:
    """4D^2 + 2Dh + 9D + h, including the norms."""
    attention = 4 * dim * dim + 4 * dim
    return attention + GeluFFN.params(1, dim, hidden) + 2 * norm_params("layer", dim)


def encoder_layer_flops(num_tokens: int, dim: int, hidden: int) -> int:
    """8TD^2 + 4T^2D + 4TDh per sample."""
    projections = 8 * num_tokens * dim * dim
    ffn = GeluFFN.flops(num_tokens, dim, hidden)
    return projections + attention_flops(num_tokens, dim) + ffn


def transformer_block(config: TransformerConfig) -> Block:
    """One layer."""
    return encoder_layer(
        config.num_tokens, config.token_dim, config.hidden, config.num_heads, config.dropout
    )


def transformer_cost(config: TransformerConfig) -> BlockCost:
    """Closed form, from `encoder_layer_params` and `encoder_layer_flops`."""
    flops = encoder_layer_flops(config.num_tokens, config.token_dim, config.hidden)
    return BlockCost(
        params=config.num_blocks * encoder_layer_params(config.token_dim, config.hidden),
        flops_per_sample=config.num_blocks * flops,
    )


TRANSFORMER = Family(
    name="transformer",
    summary="pre-norm encoder with weights shared across tokens (arXiv 1706.03762)",
    config=TransformerConfig,
    blocks=repeated(transformer_block),
    cost=transformer_cost,
)
