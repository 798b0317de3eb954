"""Hyperparameters shared by the families with Sinkhorn-constrained mixing."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from mixfront.models._base import NormKind, RankerConfig, StackKind, TemperatureConfig
from mixfront.models.layers.norms import norm_params
from mixfront.models.layers.per_token import SwiGluFFN, swiglu_hidden
from mixfront.models.mixing.sinkhorn import sinkhorn_flops
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions
from mixfront.models.origins import AuthorsDefault, Origins, OurDefault, PaperDefault
from mixfront.models.stack import stack_norm_params


class SinkhornConfig(RankerConfig):
    """Abstract: hyperparameters of Sinkhorn, its temperature and the initial mixing logits."""

    inherited_origins: ClassVar[Origins] = {
        "num_blocks": "paper",  # Table 4; the authors' Lite has 4
        "share_proj": "paper",
        "pool": "authors' code",
    }

    tau_start: PaperDefault[float] = Field(
        1.0, gt=0, le=10, description="Sinkhorn temperature at the first step"
    )
    tau_end: PaperDefault[float] = Field(
        0.05, gt=0, le=10, description="Sinkhorn temperature at the last step"
    )
    tau_schedule: PaperDefault[Literal["linear", "two_stage", "constant", "off"]] = Field(
        "linear",
        description="how tau falls; constant = tau_end at every step, off = tau stays 1 (the "
        "paper's ablation)",
    )
    tau_steps: OurDefault[int] = Field(
        0,
        ge=0,
        description="for linear, steps after which tau stays at tau_end; 0 = all steps of a full "
        "training run",
    )
    hot_share: OurDefault[float] = Field(
        0.5, gt=0, lt=1, description="for two_stage, share of the steps at tau_start"
    )
    sinkhorn_iters: OurDefault[int] = Field(
        20, ge=1, le=100, description="Sinkhorn rounds, each normalising rows, then columns"
    )
    logit_init_std: OurDefault[float] = Field(
        0.1, gt=0, le=3, description="standard deviation of the initial mixing logits"
    )
    symmetric: OurDefault[bool] = Field(
        True, description="symmetrise the mixing logits before Sinkhorn"
    )
    resymmetrise: PaperDefault[bool] = Field(
        False, description="symmetrise the matrices after Sinkhorn too"
    )
    transpose: PaperDefault[bool] = Field(
        False,
        description="flatten the transposed tokens (D, T) before mixing, as the authors' code "
        "does; the result is not transposed back",
    )

    @model_validator(mode="after")
    def _tau_falls(self) -> "SinkhornConfig":
        if self.tau_end > self.tau_start:
            raise ValueError(
                f"tau_end {self.tau_end} is above tau_start {self.tau_start}; "
                "the temperature falls, so set tau_end lower"
            )
        return self

    def temperature(self) -> TemperatureConfig | None:
        """None if `tau_schedule` is off."""
        if self.tau_schedule == "off":
            return None
        return TemperatureConfig(
            tau_start=self.tau_start,
            tau_end=self.tau_end,
            tau_schedule=self.tau_schedule,
            hot_share=self.hot_share,
            tau_steps=self.tau_steps,
        )

    def sinkhorn_options(self) -> SinkhornOptions:
        """How this config's logits become matrices."""
        return SinkhornOptions(
            num_iters=self.sinkhorn_iters,
            symmetric=self.symmetric,
            resymmetrise=self.resymmetrise,
            tau={"off": 1.0, "constant": self.tau_end}.get(self.tau_schedule, self.tau_start),
        )


class SinkhornMixerConfig(SinkhornConfig):
    """Abstract: all hyperparameters that the three UniMixer families share."""

    block_size: AuthorsDefault[int] = Field(
        4,
        ge=1,
        le=65536,
        description="width B of the mixed blocks, a divisor of num_tokens * token_dim",
    )
    ffn_hidden: AuthorsDefault[int] = Field(
        0, ge=0, le=65536, description="hidden width h of the pSwiGLU; 0 = round(4/3 * token_dim)"
    )
    shared_local: PaperDefault[bool] = Field(
        False, description="one local matrix for all blocks instead of one per block (ablation)"
    )
    stack: PaperDefault[Literal["siamese", "plain"]] = Field(
        "siamese", description="SiameseNorm, or plain post-norm residuals (ablation)"
    )
    norm: PaperDefault[NormKind] = Field("rms", description="RMSNorm or LayerNorm, for all norms")

    @model_validator(mode="after")
    def _blocks_fill_the_input(self) -> "SinkhornMixerConfig":
        check_blocks(self.num_tokens * self.token_dim, self.block_size)
        return self

    @property
    def num_mixed_blocks(self) -> int:
        """n, the number of blocks of the flattened input."""
        return self.num_tokens * self.token_dim // self.block_size

    @property
    def num_local_matrices(self) -> int:
        """Number of local matrices per layer: n, or 1 if shared."""
        return 1 if self.shared_local else self.num_mixed_blocks

    @property
    def hidden(self) -> int:
        """Hidden width h of the pSwiGLU."""
        return swiglu_hidden(self.ffn_hidden, self.token_dim)

    def stack_kind(self) -> StackKind:
        """Residual topology around the blocks."""
        return StackKind(topology=self.stack, norm=self.norm)

    def shared_params(self) -> int:
        """Parameters of all layers except mixing: pSwiGLUs, and norms of blocks and stack."""
        ffn = SwiGluFFN.params(self.num_tokens, self.token_dim, self.hidden)
        per_block = ffn + norm_params(self.norm, self.token_dim)
        stack = stack_norm_params(self.stack_kind(), self.num_blocks, self.token_dim)
        return self.num_blocks * per_block + stack

    def flops_per_sample(self) -> int:
        """Forward FLOPs of all layers, each 2 (n^2 B + n B^2) for mixing plus 6TDh for pSwiGLU."""
        n, b = self.num_mixed_blocks, self.block_size
        ffn = SwiGluFFN.flops(self.num_tokens, self.token_dim, self.hidden)
        return self.num_blocks * (2 * (n * n * b + n * b * b) + ffn)

    def sinkhorn_flops(self) -> int:
        """Forward FLOPs of Sinkhorn per step in all layers, each 4 iters (n^2 + n B^2)."""
        n, iters = self.num_mixed_blocks, self.sinkhorn_iters
        local = sinkhorn_flops(self.block_size, iters, count=self.num_local_matrices)
        return self.num_blocks * (sinkhorn_flops(n, iters) + local)


def check_blocks(length: int, block_size: int) -> None:
    """Check that the blocks fill the flattened input.

    Raises:
        ValueError: If B does not divide L.
    """
    if length % block_size:
        raise ValueError(
            f"block_size {block_size} does not divide num_tokens * token_dim = {length}; "
            f"set a divisor, such as {nearest_divisor(length, block_size)}"
        )


def nearest_divisor(length: int, target: int) -> int:
    """The divisor of `length`, at most 65,536, that is nearest to `target`."""
    divisors = (d for d in range(1, min(length, 65536) + 1) if length % d == 0)
    return min(divisors, key=lambda d: abs(d - target))
