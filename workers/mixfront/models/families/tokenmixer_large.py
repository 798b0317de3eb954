"""TokenMixer-Large (ByteDance, arXiv 2602.06563): mix, network, revert, network."""

from typing import Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, RankerConfig, StackContext
from mixfront.models.layers.norms import Norm
from mixfront.models.layers.per_token import SwiGluFFN
from mixfront.models.layers.sparse_ffn import SparseSwiGluFFN
from mixfront.models.mixing.permutation import token_mixing


class TokenMixerLargeConfig(RankerConfig):
    """Config of `tokenmixer_large`."""

    num_heads: int = Field(
        0, ge=0, le=4096, description="heads H that tokens are cut into; 0 = num_tokens"
    )
    ffn_expansion: int = Field(
        2, ge=1, le=64, description="expansion n: a pSwiGLU's hidden width over its input's"
    )
    norm_pos: Literal["pre_inner", "pre_outer", "post"] = Field(
        "pre_inner",
        description="RMSNorm before the mixed tokens' network, before mixing, or after residuals; "
        "sources disagree, the paper's text says pre",
    )
    ffn_bias: bool = Field(
        False, description="biases in the pSwiGLUs; the formula shows them, the text removes them"
    )
    inter_residual_every: int = Field(
        2, ge=0, le=64, description="layers between inter-layer residuals; 0 = none"
    )
    aux_weight: float = Field(
        0.0,
        ge=0,
        le=10,
        description="factor on auxiliary losses of the layers that inter-layer residuals lead "
        "to; 0 = none, implementations use 0.1 to 0.15",
    )
    down_init_scale: float = Field(
        0.01, gt=0, le=10, description="factor on the down matrices at the start"
    )
    num_experts: int = Field(
        0,
        ge=0,
        le=1024,
        description="experts of a sparse pSwiGLU, one of them shared; 0 or 1 = dense",
    )
    active_experts: int = Field(
        2,
        ge=2,
        le=1024,
        description="experts that a token uses, the shared one included; the router learns "
        "from 3 on, for a single routed expert always has weight 1; not used if dense",
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "TokenMixerLargeConfig":
        if self.token_dim % self.heads:
            key = "num_heads" if self.num_heads else "num_heads (0 = num_tokens)"
            raise ValueError(
                f"{key} {self.heads} does not divide token_dim {self.token_dim}; choose a divisor"
            )
        return self

    @model_validator(mode="after")
    def _experts_fit(self) -> "TokenMixerLargeConfig":
        if not self.sparse:
            return self
        if self.active_experts > self.num_experts:
            raise ValueError(
                f"active_experts {self.active_experts} is more than num_experts "
                f"{self.num_experts}; choose at most that"
            )
        for width in (self.token_dim, self.mixed_dim):
            if self.ffn_expansion * width % self.num_experts:
                raise ValueError(
                    f"num_experts {self.num_experts} does not divide the hidden width "
                    f"{self.ffn_expansion * width}; choose a divisor"
                )
        return self

    def auxiliary_layers(self) -> tuple[int, ...]:
        """l = s, 2s, ... < M with s = `inter_residual_every`."""
        every = self.inter_residual_every
        return tuple(range(every, self.num_blocks, every)) if every and self.aux_weight else ()

    def auxiliary_weight(self) -> float:
        """`aux_weight`."""
        return self.aux_weight

    @property
    def sparse(self) -> bool:
        """Whether networks are mixtures of experts."""
        return self.num_experts > 1

    @property
    def heads(self) -> int:
        """H."""
        return self.num_heads or self.num_tokens

    @property
    def mixed_dim(self) -> int:
        """Dm = TD/H, width of a mixed token."""
        return self.num_tokens * self.token_dim // self.heads


class TokenMixerLargeBlock(Block):
    """H' = H + pSwiGLU(RMSNorm H) with H = Mix(X); X' = X + pSwiGLU(RMSNorm(Revert(H'))).

    That is `norm_pos` pre_inner. pre_outer: H = Mix(RMSNorm X), H' = H + pSwiGLU(H).
    post: H' = RMSNorm(H + pSwiGLU(H)), X' = RMSNorm(X + pSwiGLU(Revert(H'))).
    """

    def __init__(self, config: TokenMixerLargeConfig) -> None:
        super().__init__()
        tokens, heads = config.num_tokens, config.heads
        self._num_tokens, self._num_heads = tokens, heads
        self._norm_pos = config.norm_pos
        self._every = config.inter_residual_every
        self.mix_norm = Norm("rms", _mix_norm_dim(config))
        self.mix_ffn = _network(config, heads, config.mixed_dim)
        self.token_norm = Norm("rms", config.token_dim)
        self.token_ffn = _network(config, tokens, config.token_dim)

    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        reverted = token_mixing(self._mixed(x), self._num_tokens)
        if self._norm_pos == "post":
            out: Tensor = self.token_norm(x + self.token_ffn(reverted))
        else:
            out = x + self.token_ffn(self.token_norm(reverted))
        return self._with_earlier(out, context)

    def _mixed(self, x: Tensor) -> Tensor:
        """(N, T, D) -> H' (N, H, Dm)."""
        before = self._norm_pos == "pre_outer"
        h: Tensor = token_mixing(self.mix_norm(x) if before else x, self._num_heads)
        inner = self._norm_pos == "pre_inner"
        h = h + self.mix_ffn(self.mix_norm(h) if inner else h)
        return self.mix_norm(h) if self._norm_pos == "post" else h

    def _with_earlier(self, out: Tensor, context: StackContext) -> Tensor:
        """X^l += X^{l-s} for l = s, 2s, ... but not after the last layer."""
        done, every = context.layer + 1, self._every
        if not every or done % every or done == context.num_layers:
            return out
        return out + (context.history[done - every - 1] if done > every else context.x0)


def _network(config: TokenMixerLargeConfig, tokens: int, dim: int) -> nn.Module:
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


def _network_cost(config: TokenMixerLargeConfig, tokens: int, dim: int) -> tuple[int, int]:
    """Parameters, and FLOPs a sample."""
    shape, bias = (tokens, dim, config.ffn_expansion * dim), config.ffn_bias
    if not config.sparse:
        return SwiGluFFN.params(*shape, bias=bias), SwiGluFFN.flops(*shape)
    experts = config.num_experts
    params = SparseSwiGluFFN.params(*shape, experts, bias=bias)
    return params, SparseSwiGluFFN.flops(*shape, experts)


def _mix_norm_dim(config: TokenMixerLargeConfig) -> int:
    return config.token_dim if config.norm_pos == "pre_outer" else config.mixed_dim


def tokenmixer_large_cost(config: TokenMixerLargeConfig) -> BlockCost:
    """Closed form: 3n T^2 D^2 / H + 3n T D^2 + Dm + D parameters, twice the products as FLOPs.

    A sparse network has TD (E - 1) parameters of its router more; all experts are computed.
    """
    mix = _network_cost(config, config.heads, config.mixed_dim)
    token = _network_cost(config, config.num_tokens, config.token_dim)
    norms = _mix_norm_dim(config) + config.token_dim
    return BlockCost(
        params=config.num_blocks * (mix[0] + token[0] + norms),
        flops_per_sample=config.num_blocks * (mix[1] + token[1]),
    )
