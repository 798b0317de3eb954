"""The patterns that `unified` chooses from: how each is built, and its cost per layer.

Symbols: n blocks of width B, b bases, rank r. A pattern without weights costs nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor, nn

from mixfront.models._base import BlockCost
from mixfront.models.families.unified.config import GlobalPattern, LocalPattern, UnifiedConfig
from mixfront.models.layers.attention import attention_flops
from mixfront.models.mixing.factored_global import FactoredGlobal
from mixfront.models.mixing.free_patterns import (
    FreeBasisLocal,
    FreeGlobal,
    FreeLocal,
    ParameterLocal,
)
from mixfront.models.mixing.global_patterns import FullGlobal, LowRankGlobal
from mixfront.models.mixing.input_patterns import FMGlobal, SoftmaxGlobal, fm_flops
from mixfront.models.mixing.local_patterns import BasisLocal, FullLocal
from mixfront.models.mixing.permutation import PermutationGlobal, initial_logits
from mixfront.models.mixing.sinkhorn import sinkhorn_flops
from mixfront.models.mixing.sinkhorn_factored import sinkhorn_factored_flops

NO_COST = BlockCost(params=0, flops_per_sample=0)


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One choice of local or global pattern."""

    make: Callable[[UnifiedConfig], nn.Module]
    cost: Callable[[UnifiedConfig], BlockCost]  # of one layer


def _full_local(config: UnifiedConfig, *, shared: bool = False) -> nn.Module:
    n, size = config.num_mixed_blocks, config.block
    if config.local_constraint == "free":
        return FreeLocal(n, size, shared=shared)
    return FullLocal(
        n,
        size,
        std=config.logit_init_std,
        options=config.sinkhorn_options(),
        identity=None if config.init == "normal" else config.init_strength,
        shared=shared,
    )


def _full_local_cost(config: UnifiedConfig, *, shared: bool = False) -> BlockCost:
    n, size = config.num_mixed_blocks, config.block
    count = 1 if shared else n
    return BlockCost(
        params=count * size**2,
        flops_per_sample=2 * n * size**2,
        sinkhorn_flops_per_step=_local_sinkhorn(config, count),
    )


def _basis_local(config: UnifiedConfig) -> nn.Module:
    n, size, bases = config.num_mixed_blocks, config.block, config.num_bases
    if config.local_constraint == "free":
        return FreeBasisLocal(n, size, bases)
    return BasisLocal(
        n,
        size,
        bases,
        std=config.logit_init_std,
        options=config.sinkhorn_options(),
        init=config.factor_init,
    )


def _basis_local_cost(config: UnifiedConfig) -> BlockCost:
    """bB^2 + nb parameters; per step, 2nbB^2 FLOPs to compose."""
    n, cells, b = config.num_mixed_blocks, config.block**2, config.num_bases
    return BlockCost(
        params=b * cells + n * b,
        flops_per_sample=2 * n * cells,
        flops_per_step=2 * n * b * cells,
        sinkhorn_flops_per_step=_local_sinkhorn(config, n),
    )


def _local_sinkhorn(config: UnifiedConfig, count: int) -> int:
    free = config.local_constraint == "free"
    return 0 if free else sinkhorn_flops(config.block, config.sinkhorn_iters, count=count)


def _dense_global(config: UnifiedConfig) -> nn.Module:
    return FullGlobal(
        config.num_mixed_blocks,
        std=config.logit_init_std,
        options=config.sinkhorn_options(),
        initial_logits=_initial_logits(config),
    )


def _initial_logits(config: UnifiedConfig) -> Tensor | None:
    return initial_logits(
        config.init,
        config.init_strength,
        num_tokens=config.num_tokens,
        dim=config.token_dim,
        block_size=config.block,
    )


def _dense_global_cost(config: UnifiedConfig) -> BlockCost:
    n = config.num_mixed_blocks
    return BlockCost(
        params=n * n,
        flops_per_sample=2 * n * n * config.block,
        sinkhorn_flops_per_step=sinkhorn_flops(n, config.sinkhorn_iters),
    )


def _low_rank_global_cost(config: UnifiedConfig) -> BlockCost:
    """2nr parameters, the FLOPs of the dense pattern, and 2n^2 r per step for the logits."""
    n, dense = config.num_mixed_blocks, _dense_global_cost(config)
    return replace(dense, params=2 * n * config.rank, flops_per_step=2 * n * n * config.rank)


def _factored_global(config: UnifiedConfig) -> nn.Module:
    options = replace(config.sinkhorn_options(), symmetric=config.tied)
    n, std = config.num_mixed_blocks, config.logit_init_std
    return FactoredGlobal(n, config.rank, std=std, options=options)


def _factored_global_cost(config: UnifiedConfig) -> BlockCost:
    n, r = config.num_mixed_blocks, config.rank
    return BlockCost(
        params=n * r if config.tied else 2 * n * r,
        flops_per_sample=4 * r * n * config.block,
        sinkhorn_flops_per_step=sinkhorn_factored_flops(n, r, config.sinkhorn_iters),
    )


def _attention_cost(config: UnifiedConfig) -> BlockCost:
    """2D^2 parameters per W_Q and W_K; 4TD^2 + 4T^2 D FLOPs."""
    tokens, dim = config.num_tokens, config.token_dim
    sets = 1 if config.query_key == "shared" else tokens
    return BlockCost(
        params=2 * sets * dim**2,
        flops_per_sample=4 * tokens * dim**2 + attention_flops(tokens, dim),
    )


LOCAL_PATTERNS: dict[LocalPattern, Pattern] = {
    "identity": Pattern(make=lambda _: nn.Identity(), cost=lambda _: NO_COST),
    "shared": Pattern(
        make=lambda c: _full_local(c, shared=True), cost=lambda c: _full_local_cost(c, shared=True)
    ),
    "per_block": Pattern(make=_full_local, cost=_full_local_cost),
    "basis": Pattern(make=_basis_local, cost=_basis_local_cost),
    "parameter": Pattern(
        make=lambda c: ParameterLocal(c.num_mixed_blocks, c.block),
        cost=lambda c: BlockCost(params=c.num_mixed_blocks * c.block, flops_per_sample=0),
    ),
}

GLOBAL_PATTERNS: dict[GlobalPattern, Pattern] = {
    "identity": Pattern(make=lambda _: nn.Identity(), cost=lambda _: NO_COST),
    "permutation": Pattern(
        make=lambda c: PermutationGlobal(c.num_tokens, c.token_dim // c.block),
        cost=lambda _: NO_COST,
    ),
    "dense": Pattern(make=_dense_global, cost=_dense_global_cost),
    "low_rank": Pattern(
        make=lambda c: LowRankGlobal(
            c.num_mixed_blocks,
            c.rank,
            std=c.logit_init_std,
            options=c.sinkhorn_options(),
            init=c.factor_init,
        ),
        cost=_low_rank_global_cost,
    ),
    "factored": Pattern(make=_factored_global, cost=_factored_global_cost),
    "free": Pattern(
        make=lambda c: FreeGlobal(c.num_mixed_blocks),
        cost=lambda c: replace(_dense_global_cost(c), sinkhorn_flops_per_step=0),
    ),
    "attention": Pattern(
        make=lambda c: SoftmaxGlobal(
            c.num_tokens, c.token_dim, c.num_heads, shared=c.query_key == "shared"
        ),
        cost=_attention_cost,
    ),
    "fm": Pattern(
        make=lambda _: FMGlobal(),
        cost=lambda c: BlockCost(params=0, flops_per_sample=fm_flops(c.num_tokens, c.token_dim)),
    ),
}
