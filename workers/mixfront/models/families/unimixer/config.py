"""Keys that the families with Sinkhorn-constrained mixing share."""

from typing import Literal

from pydantic import Field, model_validator

from mixfront.models._base import NormKind, RankerConfig, StackKind, TemperatureConfig
from mixfront.models.layers.norms import norm_params
from mixfront.models.layers.per_token import SwiGluFFN, swiglu_hidden
from mixfront.models.mixing.sinkhorn import sinkhorn_flops
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions
from mixfront.models.stack import stack_norm_params


class SinkhornConfig(RankerConfig):
    """Abstract: how mixing logits become matrices, and how the temperature falls."""

    tau_start: float = Field(
        1.0, gt=0, le=10, description="Sinkhorn temperature at the first step"
    )
    tau_end: float = Field(0.05, gt=0, le=10, description="Sinkhorn temperature at the last step")
    tau_schedule: Literal["linear", "two_stage", "off"] = Field(
        "linear",
        description="how tau falls; off = it stays 1 throughout (ablation of the paper)",
    )
    hot_share: float = Field(
        0.5, gt=0, lt=1, description="two_stage only: share of all steps at tau_start"
    )
    sinkhorn_iters: int = Field(
        20, ge=1, le=100, description="rounds of rows and columns in Sinkhorn"
    )
    logit_init_std: float = Field(
        0.1, gt=0, le=3, description="standard deviation of the mixing logits at the start"
    )
    symmetric: bool = Field(True, description="symmetrise the mixing logits before Sinkhorn")
    resymmetrise: bool = Field(False, description="symmetrise the matrices after Sinkhorn too")

    @model_validator(mode="after")
    def _tau_falls(self) -> "SinkhornConfig":
        if self.tau_end > self.tau_start:
            raise ValueError(
                f"tau_end {self.tau_end} is above tau_start {self.tau_start}; "
                "the temperature falls, so choose it lower"
            )
        return self

    def temperature(self) -> TemperatureConfig | None:
        """None where `tau_schedule` is off."""
        if self.tau_schedule == "off":
            return None
        return TemperatureConfig(
            tau_start=self.tau_start,
            tau_end=self.tau_end,
            tau_schedule=self.tau_schedule,
            hot_share=self.hot_share,
        )

    def sinkhorn_options(self) -> SinkhornOptions:
        """How this config's logits become matrices."""
        return SinkhornOptions(
            num_iters=self.sinkhorn_iters,
            symmetric=self.symmetric,
            resymmetrise=self.resymmetrise,
            tau=1.0 if self.tau_schedule == "off" else self.tau_start,
        )


class SinkhornMixerConfig(SinkhornConfig):
    """Abstract: blocks and topology; `unimixer*` add how the matrices are made."""

    block_size: int = Field(
        4, ge=1, le=65536, description="width B of the blocks that are mixed; divides T * D"
    )
    ffn_hidden: int = Field(
        0, ge=0, le=65536, description="hidden width h of the pSwiGLU; 0 = round(4/3 * token_dim)"
    )
    shared_local: bool = Field(
        False, description="one local matrix for all blocks instead of one each (ablation)"
    )
    stack: Literal["siamese", "plain"] = Field(
        "siamese", description="SiameseNorm, or post-norm residual (ablation)"
    )
    norm: NormKind = Field("rms", description="RMSNorm or LayerNorm, everywhere")

    @model_validator(mode="after")
    def _blocks_fill_the_input(self) -> "SinkhornMixerConfig":
        check_blocks(self.num_tokens * self.token_dim, self.block_size)
        return self

    @property
    def mixed_blocks(self) -> int:
        """n, the blocks of the flattened input."""
        return self.num_tokens * self.token_dim // self.block_size

    @property
    def local_matrices(self) -> int:
        """Local matrices of one layer: n, or one shared."""
        return 1 if self.shared_local else self.mixed_blocks

    @property
    def hidden(self) -> int:
        """Hidden width of the pSwiGLU."""
        return swiglu_hidden(self.ffn_hidden, self.token_dim)

    def stack_kind(self) -> StackKind:
        """Residual topology around the blocks."""
        return StackKind(topology=self.stack, norm=self.norm)

    def shared_params(self) -> int:
        """Parameters of all layers but for the mixing: pSwiGLU, the blocks' and stack's norms."""
        ffn = SwiGluFFN.params(self.num_tokens, self.token_dim, self.hidden)
        per_block = ffn + norm_params(self.norm, self.token_dim)
        stack = stack_norm_params(self.stack_kind(), self.num_blocks, self.token_dim)
        return self.num_blocks * per_block + stack

    def flops_per_sample(self) -> int:
        """Forward FLOPs of all layers: 2 (n^2 B + n B^2) for mixing, 6TDh for the pSwiGLU."""
        n, b = self.mixed_blocks, self.block_size
        ffn = SwiGluFFN.flops(self.num_tokens, self.token_dim, self.hidden)
        return self.num_blocks * (2 * (n * n * b + n * b * b) + ffn)

    def sinkhorn_flops(self) -> int:
        """Forward FLOPs of Sinkhorn in all layers, once per step: 4 iters (n^2 + n B^2)."""
        n, iters = self.mixed_blocks, self.sinkhorn_iters
        local = sinkhorn_flops(self.block_size, iters, count=self.local_matrices)
        return self.num_blocks * (sinkhorn_flops(n, iters) + local)


def check_blocks(length: int, block_size: int) -> None:
    """Refuse blocks that do not fill the flattened input.

    Raises:
        ValueError: If B does not divide L.
    """
    if length % block_size:
        raise ValueError(
            f"block_size {block_size} does not divide num_tokens * token_dim = {length}; "
            f"choose a divisor, such as {divisor_near(length, block_size)}"
        )


def divisor_near(length: int, wanted: int) -> int:
    """The divisor of `length`, 65,536 at most, that lies nearest to `wanted`."""
    divisors = (d for d in range(1, min(length, 65536) + 1) if length % d == 0)
    return min(divisors, key=lambda d: abs(d - wanted))
