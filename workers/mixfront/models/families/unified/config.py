"""Hyperparameters of `unified`: the two patterns, and the layers around them."""

import math
from typing import Literal

from pydantic import Field, model_validator

from mixfront.models._base import NormKind, StackKind, TemperatureConfig
from mixfront.models.families.unimixer.config import SinkhornConfig, check_blocks, nearest_divisor
from mixfront.models.layers.attention import check_heads
from mixfront.models.mixing.permutation import Init
from mixfront.models.mixing.sinkhorn_pattern import FactorInit
from mixfront.models.origins import AuthorsDefault, OurDefault, PaperDefault

LocalPattern = Literal["identity", "shared", "per_block", "basis", "parameter"]
GlobalPattern = Literal[
    "identity", "permutation", "dense", "low_rank", "factored", "free", "attention", "fm"
]
FFNChoice = Literal["swiglu", "gelu", "shared_swiglu", "shared_gelu", "none"]
Projection = Literal["none", "shared", "per_token"]

INPUT_DEPENDENT: tuple[GlobalPattern, ...] = ("attention", "fm")
_LEARNED_LOCAL: tuple[LocalPattern, ...] = ("shared", "per_block", "basis")
_SINKHORN_GLOBAL: tuple[GlobalPattern, ...] = ("dense", "low_rank", "factored")
_DEFAULT_BLOCK_SIZE = 4  # as in the authors' UniMixing-Lite


class UnifiedConfig(SinkhornConfig):
    """Config of `unified`; hyperparameters of patterns not chosen have no effect."""

    local_pattern: OurDefault[LocalPattern] = Field(
        "basis",
        description="how a block is transformed; parameter = replaced by a learned Y, as in an FM",
    )
    local_constraint: PaperDefault[Literal["sinkhorn", "free"]] = Field(
        "sinkhorn", description="local matrices: doubly stochastic, or unconstrained"
    )
    global_pattern: OurDefault[GlobalPattern] = Field(
        "low_rank",
        description="how blocks are mixed; free = unconstrained matrix, factored = "
        "low-rank matrix that is never formed",
    )
    block_size: OurDefault[int] = Field(
        0,
        ge=0,
        le=65536,
        description="width B of the blocks; 0 = token_dim for attention and fm, one block per "
        "token and head for permutation, otherwise about 4",
    )
    num_bases: PaperDefault[int] = Field(
        2, ge=1, le=256, description="bases b that local matrices are composed of"
    )
    rank: OurDefault[int] = Field(
        16, ge=1, le=65536, description="rank r of a low_rank or factored global pattern"
    )
    tied: OurDefault[bool] = Field(
        False, description="for factored, B_G = A_G^T; symmetric once Sinkhorn has converged"
    )
    init: OurDefault[Init] = Field(
        "normal",
        description="initial logits of dense global and full local matrices: random, RankMixer's "
        "permutation with identities as local matrices, or identities only",
    )
    init_strength: OurDefault[float] = Field(
        1.0,
        gt=0,
        le=10,
        description="for near_perm and identity, the initial logit of their cells; others are 0",
    )
    factor_init: OurDefault[FactorInit] = Field(
        "product",
        description="what logit_init_std is the deviation of in low_rank and basis patterns: the "
        "logits, or each global factor (local ones are then Glorot-uniform)",
    )
    num_heads: OurDefault[int] = Field(
        4, ge=1, le=256, description="attention heads H, a divisor of token_dim"
    )
    query_key: OurDefault[Literal["shared", "per_token"]] = Field(
        "shared", description="W_Q and W_K of attention: shared by all tokens, or one per token"
    )
    output: PaperDefault[Projection] = Field(
        "none",
        description="output projection W_O after mixing: none, shared by all tokens, or one per "
        "token",
    )
    ffn: PaperDefault[FFNChoice] = Field(
        "swiglu", description="FFN after mixing: per token, shared by all tokens, or none"
    )
    ffn_hidden: AuthorsDefault[int] = Field(
        0,
        ge=0,
        le=65536,
        description="hidden width h of the FFN; 0 = 2 * token_dim, for SwiGLU 4/3 * token_dim",
    )
    stack: PaperDefault[Literal["siamese", "plain", "pre", "post"]] = Field(
        "siamese",
        description="one residual per block (siamese, plain), or one each around mixing and FFN "
        "with norms before or after (pre, post)",
    )
    norm: PaperDefault[NormKind] = Field("rms", description="RMSNorm or LayerNorm, for all norms")

    @model_validator(mode="after")
    def _blocks_fit(self) -> "UnifiedConfig":
        if self.global_pattern in INPUT_DEPENDENT and self.block != self.token_dim:
            raise ValueError(
                f"global_pattern {self.global_pattern} mixes whole tokens, so block_size must be "
                f"token_dim {self.token_dim}, not {self.block_size}; set {self.token_dim}, or 0"
            )
        check_blocks(self.num_tokens * self.token_dim, self.block)
        if self.global_pattern == "permutation" or self.starts_near_permutation:
            self._check_permutation()
        return self

    @model_validator(mode="after")
    def _patterns_fit(self) -> "UnifiedConfig":
        if self.local_pattern == "parameter" and self.global_pattern not in INPUT_DEPENDENT:
            raise ValueError(
                "local_pattern parameter is the same for every row, so global_pattern "
                f"{self.global_pattern} would ignore the input; set global_pattern attention or fm"
            )
        if self.global_pattern == "attention":
            check_heads(self)
        return self

    def _check_permutation(self) -> None:
        if self.token_dim % self.block:
            raise ValueError(
                "a permutation needs a block_size that divides token_dim "
                f"{self.token_dim}, not {self.block}; set a divisor, or 0"
            )
        if self.block == self.token_dim:
            raise ValueError(
                f"block_size {self.block} is token_dim, but a permutation of whole tokens mixes "
                "nothing; set a smaller divisor of token_dim"
            )

    @property
    def block(self) -> int:
        """B, with the default applied."""
        if self.block_size:
            return self.block_size
        if self.global_pattern in INPUT_DEPENDENT:
            return self.token_dim
        if self.global_pattern == "permutation" or self.starts_near_permutation:
            return self.token_dim // math.gcd(self.token_dim, self.num_tokens)
        return nearest_divisor(self.num_tokens * self.token_dim, _DEFAULT_BLOCK_SIZE)

    @property
    def num_mixed_blocks(self) -> int:
        """n, the number of blocks of the flattened input."""
        return self.num_tokens * self.token_dim // self.block

    @property
    def starts_near_permutation(self) -> bool:
        """Whether the dense global logits are initialised to a permutation."""
        return self.init == "near_perm" and self.global_pattern == "dense"

    def temperature(self) -> TemperatureConfig | None:
        """None if `tau_schedule` is off, or neither pattern uses Sinkhorn."""
        local = self.local_constraint == "sinkhorn" and self.local_pattern in _LEARNED_LOCAL
        tempered = local or self.global_pattern in _SINKHORN_GLOBAL
        return super().temperature() if tempered else None

    def stack_kind(self) -> StackKind:
        """Residual topology around the blocks; with `pre` and `post`, blocks have their own."""
        if self.stack == "siamese" or self.stack == "plain":
            return StackKind(topology=self.stack, norm=self.norm)
        return StackKind(topology="chain", norm=self.norm)
