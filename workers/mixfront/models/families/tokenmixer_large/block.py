"""TokenMixer-Large: mixing and reverting (arXiv 2602.06563)."""

from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Family, StackContext, repeated
from mixfront.models.families.tokenmixer_large.config import TokenMixerLargeConfig
from mixfront.models.families.tokenmixer_large.sparse_ffn import SparseSwiGluFFN
from mixfront.models.layers.norms import Norm
from mixfront.models.layers.per_token import SwiGluFFN
from mixfront.models.mixing.permutation import token_mixing


class TokenMixerLargeBlock(Block):
    """H' = H + pSwiGLU(RMSNorm H) with H = Mix(X); X' = X + pSwiGLU(RMSNorm(Revert(H'))).

    This is `norm_pos` pre_inner. pre_outer: H = Mix(RMSNorm X), H' = H + pSwiGLU(H).
    post: H' = RMSNorm(H + pSwiGLU(H)), X' = RMSNorm(X + pSwiGLU(Revert(H'))).
    """

    def __init__(self, config: TokenMixerLargeConfig) -> None:
        super().__init__()
        tokens, heads = config.num_tokens, config.heads
        self._num_tokens, self._num_heads = tokens, heads
        self._norm_pos = config.norm_pos
        self._every = config.inter_residual_every
        self.mix_norm = Norm("rms", _mix_norm_dim(config))
        self.mix_ffn = _make_ffn(config, heads, config.mixed_dim)
        self.token_norm = Norm("rms", config.token_dim)
        self.token_ffn = _make_ffn(config, tokens, config.token_dim)

    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        reverted = token_mixing(self._mix(x), self._num_tokens)
        if self._norm_pos == "post":
            out: Tensor = self.token_norm(x + self.token_ffn(reverted))
        else:
            out = x + self.token_ffn(self.token_norm(reverted))
        return self._add_earlier_layer(out, context)

    def _mix(self, x: Tensor) -> Tensor:
        """(N, T, D) -> H' (N, H, Dm)."""
        pre_outer, pre_inner = self._norm_pos == "pre_outer", self._norm_pos == "pre_inner"
        h: Tensor = token_mixing(self.mix_norm(x) if pre_outer else x, self._num_heads)
        h = h + self.mix_ffn(self.mix_norm(h) if pre_inner else h)
        return self.mix_norm(h) if self._norm_pos == "post" else h

    def _add_earlier_layer(self, out: Tensor, context: StackContext) -> Tensor:
        """Inter-layer residual, X^l += X^{l-s} for l = s, 2s, ..., except at the last layer."""
        layer, every = context.layer + 1, self._every
        if not every or layer % every or layer == context.num_layers:
            return out
        return out + (context.history[layer - every - 1] if layer > every else context.x0)


def _make_ffn(config: TokenMixerLargeConfig, tokens: int, dim: int) -> nn.Module:
    hidden = config.ffn_expansion * dim
    if not config.sparse:
        return SwiGluFFN(
            tokens,
            dim,
            hidden,
            dropout=config.dropout,
            bias=config.ffn_bias,
            down_scale=config.down_init_scale,
        )
    return SparseSwiGluFFN(
        tokens,
        dim,
        hidden,
        num_experts=config.num_experts,
        active=config.active_experts,
        dropout=config.dropout,
        bias=config.ffn_bias,
        down_scale=config.down_init_scale,
    )


def _ffn_cost(config: TokenMixerLargeConfig, tokens: int, dim: int) -> tuple[int, int]:
    """Parameters, and FLOPs per sample."""
    shape, bias = (tokens, dim, config.ffn_expansion * dim), config.ffn_bias
    if not config.sparse:
        return SwiGluFFN.params(*shape, bias=bias), SwiGluFFN.flops(*shape)
    params = SparseSwiGluFFN.params(*shape, config.num_experts, bias=bias)
    return params, SparseSwiGluFFN.flops(*shape, config.num_experts, config.active_experts)


def _mix_norm_dim(config: TokenMixerLargeConfig) -> int:
    return config.token_dim if config.norm_pos == "pre_outer" else config.mixed_dim


def tokenmixer_large_cost(config: TokenMixerLargeConfig) -> BlockCost:
    """Closed form per layer: 3n T^2 D^2 / H + 3n T D^2 weights and Dm + D of the norms.

    2 FLOPs per weight, per sample. A sparse FFN of T tokens also has TD (E - 1) router
    weights, and computes a/E of its experts.
    """
    mix = _ffn_cost(config, config.heads, config.mixed_dim)
    token = _ffn_cost(config, config.num_tokens, config.token_dim)
    norms = _mix_norm_dim(config) + config.token_dim
    return BlockCost(
        params=config.num_blocks * (mix[0] + token[0] + norms),
        flops_per_sample=config.num_blocks * (mix[1] + token[1]),
    )


TOKENMIXER_LARGE = Family(
    name="tokenmixer_large",
    summary="mix, per-token FFN, revert, per-token FFN (arXiv 2602.06563)",
    config=TokenMixerLargeConfig,
    blocks=repeated(TokenMixerLargeBlock),
    cost=tokenmixer_large_cost,
)
