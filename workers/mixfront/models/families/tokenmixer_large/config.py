"""Hyperparameters of TokenMixer-Large, and the sizes derived from them."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from mixfront.models._base import RankerConfig
from mixfront.models.origins import Origins, OurDefault, PaperDefault


class TokenMixerLargeConfig(RankerConfig):
    """Config of `tokenmixer_large`."""

    inherited_origins: ClassVar[Origins] = {"share_proj": "paper", "pool": "paper"}

    num_heads: OurDefault[int] = Field(
        0, ge=0, le=4096, description="heads H that tokens are split into; 0 = num_tokens"
    )
    ffn_expansion: OurDefault[int] = Field(
        2,
        ge=1,
        le=64,
        description="expansion n: hidden width of a pSwiGLU divided by its input width",
    )
    norm_pos: OurDefault[Literal["pre_inner", "pre_outer", "post"]] = Field(
        "pre_inner",
        description="RMSNorm before the mixed tokens' FFN (pre_inner), before mixing (pre_outer) "
        "or after the residuals (post); sources disagree; the paper's text says pre",
    )
    ffn_bias: PaperDefault[bool] = Field(
        False,
        description="biases in the pSwiGLUs; the paper's formula has them, its text removes them",
    )
    inter_residual_every: OurDefault[int] = Field(
        2, ge=0, le=64, description="layers between inter-layer residuals; 0 = none"
    )
    aux_weight: OurDefault[float] = Field(
        0.0,
        ge=0,
        le=10,
        description="weight of the auxiliary losses, one per layer that receives an inter-layer "
        "residual; 0 = none; implementations use 0.1 to 0.15",
    )
    down_init_scale: PaperDefault[float] = Field(
        0.01, gt=0, le=10, description="factor on the initial down matrices"
    )
    num_experts: OurDefault[int] = Field(
        0,
        ge=0,
        le=1024,
        description="experts E of a sparse pSwiGLU, one of them shared; 0 or 1 = dense",
    )
    active_experts: OurDefault[int] = Field(
        2,
        ge=2,
        le=1024,
        description="experts that a token uses, including the shared one; unused if dense",
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "TokenMixerLargeConfig":
        if self.token_dim % self.heads:
            key = "num_heads" if self.num_heads else "num_heads (0 = num_tokens)"
            raise ValueError(
                f"{key} {self.heads} does not divide token_dim {self.token_dim}; set a divisor"
            )
        return self

    @model_validator(mode="after")
    def _experts_fit(self) -> "TokenMixerLargeConfig":
        if not self.sparse:
            return self
        if self.active_experts > self.num_experts:
            raise ValueError(
                f"active_experts {self.active_experts} is more than num_experts "
                f"{self.num_experts}; set at most {self.num_experts}"
            )
        for width in (self.token_dim, self.mixed_dim):
            if self.ffn_expansion * width % self.num_experts:
                raise ValueError(
                    f"num_experts {self.num_experts} does not divide the hidden width "
                    f"{self.ffn_expansion * width}; set a divisor"
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
        """Whether FFNs are mixtures of experts."""
        return self.num_experts > 1

    @property
    def heads(self) -> int:
        """H, with the default applied."""
        return self.num_heads or self.num_tokens

    @property
    def mixed_dim(self) -> int:
        """Dm = TD/H, the width of a mixed token."""
        return self.num_tokens * self.token_dim // self.heads
