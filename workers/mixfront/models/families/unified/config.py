"""Keys of `unified`: a local and a global pattern, chosen separately, and what is around them."""

import math
from typing import Literal

from pydantic import Field, model_validator

from mixfront.models._base import NormKind, StackKind, TemperatureConfig
from mixfront.models.families.unimixer.config import SinkhornConfig, check_blocks, divisor_near
from mixfront.models.layers.attention import check_heads

LocalPattern = Literal["identity", "shared", "per_block", "basis", "parameter"]
GlobalPattern = Literal[
    "identity", "permutation", "dense", "low_rank", "factored", "free", "attention", "fm"
]
FFNChoice = Literal["swiglu", "gelu", "shared_swiglu", "shared_gelu", "none"]
Projection = Literal["none", "shared", "per_token"]

OF_THE_INPUT: tuple[GlobalPattern, ...] = ("attention", "fm")
_LEARNED_LOCAL: tuple[LocalPattern, ...] = ("shared", "per_block", "basis")
_SINKHORN_GLOBAL: tuple[GlobalPattern, ...] = ("dense", "low_rank", "factored")
_BLOCK_SIZE = 4  # the paper's blocks are this small


class UnifiedConfig(SinkhornConfig):
    """Config of `unified`; keys of patterns that are not chosen have no effect."""

    local_pattern: LocalPattern = Field(
        "basis",
        description="what each block becomes by itself; parameter = a learned Y, as in an FM",
    )
    local_constraint: Literal["sinkhorn", "free"] = Field(
        "sinkhorn", description="local matrices doubly stochastic, or any"
    )
    global_pattern: GlobalPattern = Field(
        "low_rank",
        description="how blocks mix; free = any matrix, factored = low rank and never formed",
    )
    block_size: int = Field(
        0,
        ge=0,
        le=65536,
        description="width B of the blocks; 0 = token_dim for attention and fm, a block for each "
        "token and head for permutation, else about 4",
    )
    num_bases: int = Field(
        2, ge=1, le=256, description="bases b that local matrices are composed of"
    )
    rank: int = Field(
        16, ge=1, le=65536, description="rank r of the low_rank or factored global matrix"
    )
    tied: bool = Field(
        False, description="factored only: B_G = A_G^T, symmetric as far as converged"
    )
    init: Literal["normal", "near_perm"] = Field(
        "normal",
        description="start of dense global and full local logits: random, or RankMixer's "
        "permutation",
    )
    num_heads: int = Field(4, ge=1, le=256, description="attention heads H; divides token_dim")
    query_key: Literal["shared", "per_token"] = Field(
        "shared", description="attention's W_Q and W_K: one for all tokens, or each its own"
    )
    output: Projection = Field("none", description="projection W_O of what was mixed")
    ffn: FFNChoice = Field(
        "swiglu", description="network after the mixing: per token, shared by tokens, or none"
    )
    ffn_hidden: int = Field(
        0,
        ge=0,
        le=65536,
        description="hidden width h of the network; 0 = 2 * token_dim, 2/3 of it for SwiGLU",
    )
    stack: Literal["siamese", "plain", "pre", "post"] = Field(
        "siamese",
        description="one residual a block (siamese, plain), or one each for mixing and network "
        "with norms before or after (pre, post)",
    )
    norm: NormKind = Field("rms", description="RMSNorm or LayerNorm, everywhere")

    @model_validator(mode="after")
    def _blocks_fit(self) -> "UnifiedConfig":
        if self.global_pattern in OF_THE_INPUT and self.block != self.token_dim:
            raise ValueError(
                f"global_pattern {self.global_pattern} mixes whole tokens, so block_size must be "
                f"token_dim {self.token_dim}, not {self.block_size}; give that, or 0"
            )
        check_blocks(self.num_tokens * self.token_dim, self.block)
        if self.global_pattern == "permutation" or self.starts_near_permutation:
            self._check_permutation()
        return self

    @model_validator(mode="after")
    def _patterns_fit(self) -> "UnifiedConfig":
        if self.local_pattern == "parameter" and self.global_pattern not in OF_THE_INPUT:
            raise ValueError(
                "local_pattern parameter is the same for every row, so global_pattern "
                f"{self.global_pattern} would mix nothing of the input; take attention or fm"
            )
        if self.global_pattern == "attention":
            check_heads(self)
        return self

    def _check_permutation(self) -> None:
        if self.token_dim % self.block:
            raise ValueError(
                "a permutation needs a block_size that divides token_dim "
                f"{self.token_dim}, not {self.block}; change it, or leave it at 0"
            )
        if self.block == self.token_dim:
            raise ValueError(
                f"a permutation of whole tokens mixes nothing: block_size {self.block} is "
                "token_dim; choose a smaller divisor of it"
            )

    @property
    def block(self) -> int:
        """B as it is used."""
        if self.block_size:
            return self.block_size
        if self.global_pattern in OF_THE_INPUT:
            return self.token_dim
        if self.global_pattern == "permutation" or self.starts_near_permutation:
            return self.token_dim // math.gcd(self.token_dim, self.num_tokens)
        return divisor_near(self.num_tokens * self.token_dim, _BLOCK_SIZE)

    @property
    def mixed_blocks(self) -> int:
        """n, the blocks of the flattened input."""
        return self.num_tokens * self.token_dim // self.block

    @property
    def starts_near_permutation(self) -> bool:
        """Whether the dense global logits start at a permutation."""
        return self.init == "near_perm" and self.global_pattern == "dense"

    def temperature(self) -> TemperatureConfig | None:
        """None where `tau_schedule` is off, or neither pattern is a Sinkhorn matrix."""
        local = self.local_constraint == "sinkhorn" and self.local_pattern in _LEARNED_LOCAL
        tempered = local or self.global_pattern in _SINKHORN_GLOBAL
        return super().temperature() if tempered else None

    def stack_kind(self) -> StackKind:
        """Residual topology around the blocks; with `pre` and `post` they bring their own."""
        if self.stack == "siamese" or self.stack == "plain":
            return StackKind(topology=self.stack, norm=self.norm)
        return StackKind(topology="chain", norm=self.norm)
