"""UniMixer: full mixing matrices, n^2 + n B^2 parameters per layer (arXiv 2604.00590)."""

from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor

from mixfront.models._base import Block, BlockCost, Family, repeated
from mixfront.models.families.unimixer.block import unimixing_block
from mixfront.models.families.unimixer.config import SinkhornMixerConfig
from mixfront.models.mixing.global_patterns import FullGlobal
from mixfront.models.mixing.local_patterns import FullLocal
from mixfront.models.mixing.permutation import Init, initial_logits
from mixfront.models.origins import Origins, OurDefault


class UniMixerConfig(SinkhornMixerConfig):
    """Config of `unimixer`."""

    inherited_origins: ClassVar[Origins] = {
        "sinkhorn_iters": "authors' code",
        "symmetric": "paper",
        "block_size": "ours",  # the authors' file has 64; 4 fits the paper's parameter counts
        "ffn_hidden": "ours",  # the authors' file has GELU FFNs
    }

    init: OurDefault[Init] = Field(
        "normal",
        description="initial mixing logits: random, RankMixer's permutation (of T x T blocks, a "
        "transposition) with identities as local matrices, or identities only",
    )
    init_strength: OurDefault[float] = Field(
        1.0,
        gt=0,
        le=10,
        description="for near_perm and identity, the initial logit of their cells; others are 0",
    )

    @model_validator(mode="after")
    def _permutation_exists(self) -> "UniMixerConfig":
        if self.init == "near_perm" and self.token_dim % self.block_size:
            raise ValueError(
                f"init near_perm needs a block_size that divides token_dim {self.token_dim}, "
                f"not {self.block_size}; set a divisor, or init normal"
            )
        return self


def unimixer_block(config: UniMixerConfig) -> Block:
    """A block with full local and global matrices."""
    n, options = config.num_mixed_blocks, config.sinkhorn_options()
    strength = None if config.init == "normal" else config.init_strength
    local = FullLocal(
        n,
        config.block_size,
        std=config.logit_init_std,
        options=options,
        identity=strength,
        shared=config.shared_local,
    )
    global_ = FullGlobal(
        n, std=config.logit_init_std, options=options, initial_logits=_initial_logits(config)
    )
    return unimixing_block(config, local, global_)


def _initial_logits(config: UniMixerConfig) -> Tensor | None:
    return initial_logits(
        config.init,
        config.init_strength,
        num_tokens=config.num_tokens,
        dim=config.token_dim,
        block_size=config.block_size,
    )


def unimixer_cost(config: UniMixerConfig) -> BlockCost:
    """Closed form of mixing per layer: n^2 + n B^2 parameters, 2 (n^2 B + n B^2) FLOPs."""
    mixing = config.num_mixed_blocks**2 + config.num_local_matrices * config.block_size**2
    return BlockCost(
        params=config.num_blocks * mixing + config.shared_params(),
        flops_per_sample=config.flops_per_sample(),
        sinkhorn_flops_per_step=config.sinkhorn_flops(),
    )


UNIMIXER = Family(
    name="unimixer",
    summary="learned doubly stochastic mixing of blocks (arXiv 2604.00590)",
    config=UniMixerConfig,
    blocks=repeated(unimixer_block),
    cost=unimixer_cost,
    stack=UniMixerConfig.stack_kind,
)
