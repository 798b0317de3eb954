"""UniMixing-Lite that saves FLOPs too: the global matrix stays two factors, never n x n.

Lite (arXiv 2604.00590) saves parameters, not FLOPs. Here Sinkhorn scales the factors themselves,
and the global pattern costs 4rL FLOPs per sample instead of 2nL. The price is a matrix of rank r
or less: a row mixes about n / r blocks or more, and RankMixer's permutation is out of reach if
r < n.
"""

from dataclasses import replace

from pydantic import Field

from mixfront.models._base import Block, BlockCost, Family, repeated
from mixfront.models.families.unimixer.block import unimixing_block
from mixfront.models.families.unimixer.config import SinkhornMixerConfig
from mixfront.models.layers.per_token import SwiGluFFN
from mixfront.models.mixing.factored_global import FactoredGlobal
from mixfront.models.mixing.local_patterns import BasisLocal
from mixfront.models.mixing.sinkhorn import sinkhorn_flops
from mixfront.models.mixing.sinkhorn_factored import sinkhorn_factored_flops
from mixfront.models.origins import OurDefault, PaperDefault


class UniMixerLiteFactoredConfig(SinkhornMixerConfig):
    """Config of `unimixer_lite_factored`."""

    symmetric: OurDefault[bool] = Field(
        False,
        description="tie the global factors, B_G = A_G^T; symmetric once Sinkhorn has converged",
    )
    symmetric_local: OurDefault[bool] = Field(
        True, description="symmetrise the local logits before Sinkhorn, as in unimixer_lite"
    )
    resymmetrise: PaperDefault[bool] = Field(
        False, description="symmetrise the local matrices after Sinkhorn too"
    )
    num_bases: PaperDefault[int] = Field(
        2, ge=1, le=256, description="bases b that local matrices are composed of"
    )
    rank: OurDefault[int] = Field(16, ge=1, le=65536, description="rank r of the global matrix")


def unimixer_lite_factored_block(config: UniMixerLiteFactoredConfig) -> Block:
    """A block with basis-composed local matrices and a factored global one."""
    n, std, options = config.num_mixed_blocks, config.logit_init_std, config.sinkhorn_options()
    local = BasisLocal(
        n,
        config.block_size,
        config.num_bases,
        std=std,
        options=replace(options, symmetric=config.symmetric_local),
        shared=config.shared_local,
    )
    return unimixing_block(config, local, FactoredGlobal(n, config.rank, std=std, options=options))


def unimixer_lite_factored_cost(config: UniMixerLiteFactoredConfig) -> BlockCost:
    """Closed form: Lite's parameters, nr less if tied; mixing takes 4rL + 2LB FLOPs per sample."""
    n, r, b = config.num_mixed_blocks, config.rank, config.num_bases
    block, count, iters = config.block_size, config.num_local_matrices, config.sinkhorn_iters
    length = n * block
    factors = n * r if config.symmetric else 2 * n * r
    mixing = 4 * r * length + 2 * length * block
    ffn = SwiGluFFN.flops(config.num_tokens, config.token_dim, config.hidden)
    scaling = sinkhorn_factored_flops(n, r, iters) + sinkhorn_flops(block, iters, count=count)
    return BlockCost(
        params=config.num_blocks * (factors + b * block**2 + count * b) + config.shared_params(),
        flops_per_sample=config.num_blocks * (mixing + ffn),
        flops_per_step=config.num_blocks * 2 * count * b * block**2,
        sinkhorn_flops_per_step=config.num_blocks * scaling,
    )


UNIMIXER_LITE_FACTORED = Family(
    name="unimixer_lite_factored",
    summary="UniMixing-Lite that never forms its global matrix (after arXiv 2604.00590)",
    config=UniMixerLiteFactoredConfig,
    blocks=repeated(unimixer_lite_factored_block),
    cost=unimixer_lite_factored_cost,
    stack=UniMixerLiteFactoredConfig.stack_kind,
)
