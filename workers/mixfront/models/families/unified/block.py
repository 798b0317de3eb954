"""A block of UniMixer's framework, with any local and any global pattern.

Mix(X) = reshape(G(X) [x_1 W_B^1; ...; x_n W_B^n]) (arXiv 2604.00590, Section 3). Token mixing,
attention, factorisation machines and UniMixing are special cases, and so are combinations of them.
"""

from torch import nn

from mixfront.models._base import Block, BlockCost, Family, repeated
from mixfront.models.families.unified.config import INPUT_DEPENDENT, UnifiedConfig
from mixfront.models.families.unified.patterns import GLOBAL_PATTERNS, LOCAL_PATTERNS, NO_COST
from mixfront.models.families.unimixer.block import UniMixerBlock
from mixfront.models.layers.encoder_block import EncoderBlock
from mixfront.models.layers.norms import Norm, norm_params
from mixfront.models.layers.per_token import (
    GeluFFN,
    PerTokenLinear,
    SwiGluFFN,
    gelu_hidden,
    swiglu_hidden,
)
from mixfront.models.mixing.input_patterns import InputMixing
from mixfront.models.mixing.unimixing import UniMixing
from mixfront.models.stack import stack_norm_params


def unified_block(config: UnifiedConfig) -> Block:
    """A block: mixing by the chosen patterns, W_O, FFN, and residuals around them."""
    mixing, ffn = unified_mixing(config), _make_ffn(config)
    if config.stack == "pre" or config.stack == "post":
        return EncoderBlock(config.token_dim, mixing, ffn, config.stack, config.norm)
    norm = Norm(config.norm, config.token_dim)
    return UniMixerBlock(mixing, norm, nn.Identity() if ffn is None else ffn)


def unified_mixing(config: UnifiedConfig) -> nn.Module:
    """(N, T, D) -> (N, T, D), including the output projection."""
    local = LOCAL_PATTERNS[config.local_pattern].make(config)
    global_ = GLOBAL_PATTERNS[config.global_pattern].make(config)
    mixing: nn.Module
    if config.global_pattern in INPUT_DEPENDENT:
        mixing = InputMixing(local, global_)
    else:
        mixing = UniMixing(local, global_, config.block, transpose=config.transpose)
    if config.output == "none":
        return mixing
    tokens, dim, shared = config.num_tokens, config.token_dim, config.output == "shared"
    return nn.Sequential(mixing, PerTokenLinear(tokens, dim, dim, shared=shared, bias=False))


def unified_cost(config: UnifiedConfig) -> BlockCost:
    """Closed form: the sum of a layer's parts, and the stack's norms."""
    parts = (
        LOCAL_PATTERNS[config.local_pattern].cost(config),
        GLOBAL_PATTERNS[config.global_pattern].cost(config),
        _output_cost(config),
        _ffn_cost(config),
    )
    layers = config.num_blocks
    stack_norms = stack_norm_params(config.stack_kind(), layers, config.token_dim)
    own_norms = _num_norms(config) * norm_params(config.norm, config.token_dim)
    return BlockCost(
        params=layers * (sum(part.params for part in parts) + own_norms) + stack_norms,
        flops_per_sample=layers * sum(part.flops_per_sample for part in parts),
        flops_per_step=layers * sum(part.flops_per_step for part in parts),
        sinkhorn_flops_per_step=layers * sum(part.sinkhorn_flops_per_step for part in parts),
    )


def _output_cost(config: UnifiedConfig) -> BlockCost:
    """D^2 or TD^2 parameters, 2TD^2 FLOPs."""
    if config.output == "none":
        return NO_COST
    tokens, cells = config.num_tokens, config.token_dim**2
    sets = 1 if config.output == "shared" else tokens
    return BlockCost(params=sets * cells, flops_per_sample=2 * tokens * cells)


def _num_norms(config: UnifiedConfig) -> int:
    """Norms per block; 1 if mixing and FFN share a residual, or there is no FFN."""
    return 2 if config.stack in ("pre", "post") and config.ffn != "none" else 1


def _make_ffn(config: UnifiedConfig) -> nn.Module | None:
    if config.ffn == "none":
        return None
    kind, hidden, shared = _ffn_kind(config)
    tokens, dim = config.num_tokens, config.token_dim
    groups = [0] * tokens if shared else None
    return kind(tokens, dim, hidden, dropout=config.dropout, groups=groups)


def _ffn_cost(config: UnifiedConfig) -> BlockCost:
    if config.ffn == "none":
        return NO_COST
    kind, hidden, shared = _ffn_kind(config)
    tokens, dim = config.num_tokens, config.token_dim
    return BlockCost(
        params=kind.params(1 if shared else tokens, dim, hidden),
        flops_per_sample=kind.flops(tokens, dim, hidden),
    )


def _ffn_kind(config: UnifiedConfig) -> tuple[type[GeluFFN] | type[SwiGluFFN], int, bool]:
    """Class, hidden width, and whether tokens share the weights."""
    hidden, dim, shared = config.ffn_hidden, config.token_dim, config.ffn.startswith("shared")
    if config.ffn.endswith("gelu"):
        return GeluFFN, gelu_hidden(hidden, dim), shared
    return SwiGluFFN, swiglu_hidden(hidden, dim), shared


UNIFIED = Family(
    name="unified",
    summary="any local pattern with any global pattern (framework of arXiv 2604.00590)",
    config=UnifiedConfig,
    blocks=repeated(unified_block),
    cost=unified_cost,
    stack=UnifiedConfig.stack_kind,
)
