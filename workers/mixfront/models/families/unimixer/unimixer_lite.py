"""UniMixing-Lite (arXiv 2604.00590): basis-composed local matrices, low-rank global logits.

Saves parameters but no FLOPs, because Sinkhorn makes the n x n matrix dense again.
"""

from pydantic import Field

from mixfront.models._base import Block, BlockCost, Family, repeated
from mixfront.models.families.unimixer.block import unimixing_block
from mixfront.models.families.unimixer.config import SinkhornMixerConfig
from mixfront.models.mixing.global_patterns import LowRankGlobal
from mixfront.models.mixing.local_patterns import BasisLocal
from mixfront.models.mixing.sinkhorn_pattern import FactorInit
from mixfront.models.origins import OurDefault, PaperDefault


class UniMixerLiteConfig(SinkhornMixerConfig):
    """Config of `unimixer_lite`."""

    num_bases: PaperDefault[int] = Field(
        2, ge=1, le=256, description="bases b that local matrices are composed of"
    )
    rank: OurDefault[int] = Field(
        16, ge=1, le=65536, description="rank r of the global logits before Sinkhorn"
    )
    factor_init: OurDefault[FactorInit] = Field(
        "product",
        description="what logit_init_std is the deviation of: the logits, or as in the authors' "
        "code, each global factor (local ones are then Glorot-uniform)",
    )


def unimixer_lite_block(config: UniMixerLiteConfig) -> Block:
    """A block with basis-composed local and low-rank global matrices."""
    n, std, options = config.num_mixed_blocks, config.logit_init_std, config.sinkhorn_options()
    local = BasisLocal(
        n,
        config.block_size,
        config.num_bases,
        std=std,
        options=options,
        shared=config.shared_local,
        init=config.factor_init,
    )
    global_ = LowRankGlobal(n, config.rank, std=std, options=options, init=config.factor_init)
    return unimixing_block(config, local, global_)


def unimixer_lite_cost(config: UniMixerLiteConfig) -> BlockCost:
    """Closed form per layer: 2nr + bB^2 + nb parameters.

    Composing the logits takes 2n^2 r + 2nbB^2 FLOPs per step.
    """
    n, r, b = config.num_mixed_blocks, config.rank, config.num_bases
    cells, count = config.block_size**2, config.num_local_matrices
    mixing = 2 * n * r + b * cells + count * b
    return BlockCost(
        params=config.num_blocks * mixing + config.shared_params(),
        flops_per_sample=config.flops_per_sample(),
        flops_per_step=config.num_blocks * (2 * n * n * r + 2 * count * b * cells),
        sinkhorn_flops_per_step=config.sinkhorn_flops(),
    )


UNIMIXER_LITE = Family(
    name="unimixer_lite",
    summary="UniMixer with basis-composed and low-rank matrices (arXiv 2604.00590)",
    config=UniMixerLiteConfig,
    blocks=repeated(unimixer_lite_block),
    cost=unimixer_lite_cost,
    stack=UniMixerLiteConfig.stack_kind,
)
