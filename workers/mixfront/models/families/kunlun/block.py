"""Kunlun's layers, on tokens and a behaviour sequence.

Every layer summarises the tokens, concatenates the summary with tokens pooled from the sequence,
and mixes both with Wukong experts. Even layers pool the sequence again and update it by attention
to the summary (GDPA); odd layers reuse the pooled tokens (CompSkip) and update the sequence by
attention between neighbouring events.

The sources give the form of GDPA and its temperature, the path from seeds through attention to
SumKron, the alternation of layers and the Wukong experts. Our own choices are the activation
function, the norms, the map to the summary and its residual, the interleaved partition, and which
layers update the sequence. Several sequences are concatenated, or, with `num_sequences`, pooled
into separate tokens and updated separately.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Events, Family, StackContext
from mixfront.models.families.kunlun.config import KunlunConfig
from mixfront.models.families.kunlun.sequence_modules import (
    SeedPooling,
    SummaryAttention,
    WindowAttention,
)
from mixfront.models.families.wukong import WukongBlock, wukong_cost
from mixfront.models.layers.mlp import dense
from mixfront.models.layers.norms import Norm, norm_params
from mixfront.models.layers.per_token import GeluFFN
from mixfront.models.layers.rotary import make_rotary

POOLED = "kunlun.pooled"  # key of H in the stack's cache


class Summary(nn.Module):
    """X_sum = C + MLP(LN C) with C = W_c X, from T tokens to T_x."""

    def __init__(self, config: KunlunConfig) -> None:
        super().__init__()
        tokens, dim = config.summary_tokens, config.token_dim
        self.compress = dense(config.num_tokens, tokens, bias=False)  # W_c
        self.norm = Norm("layer", dim)
        self.mlp = GeluFFN(tokens, dim, config.hidden, dropout=config.dropout, shared=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T_x, D)."""
        compressed = self.compress(x.mT).mT
        out: Tensor = compressed + self.mlp(self.norm(compressed))
        return out


class KunlunBlock(Block):
    """Summary, pooled sequence, Wukong experts, update of the sequence.

    Expert e mixes the tokens i with i mod E = e. With contiguous partitions, different experts
    would mix the summary and the pooled tokens.
    """

    def __init__(self, config: KunlunConfig, layer: int) -> None:
        super().__init__()
        count = config.num_sequences
        pools = config.sequence_tokens > 0 and layer % 2 == 0
        updates = layer < config.updating_layers
        self._reads_sequences = config.sequence_tokens > 0
        self.summary = Summary(config)
        self.poolings = nn.ModuleList(_pooling(config) for _ in range(count * pools))
        self.experts = nn.ModuleList(
            WukongBlock(config.expert()) for _ in range(config.num_experts)
        )
        self.updates = nn.ModuleList(_update(config, layer) for _ in range(count * updates))

    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D); updates the context's events."""
        summary = self.summary(x)
        tokens = summary
        if self._reads_sequences:
            tokens = torch.cat([summary, self._pooled(context).to(summary.dtype)], 1)
        mixed = self._mix(tokens.to(x.dtype), context)
        if self.updates:
            context.events = tuple(
                _apply_update(events, update, summary)
                for events, update in zip(context.events, self.updates, strict=True)
            )
        return mixed

    def _pooled(self, context: StackContext) -> Tensor:
        if self.poolings:
            pooled = [
                pooling(events.tokens, events.mask)
                for events, pooling in zip(context.events, self.poolings, strict=True)
            ]
            context.cache[POOLED] = torch.cat(pooled, 1) if len(pooled) > 1 else pooled[0]
        return context.cache[POOLED]

    def _mix(self, tokens: Tensor, context: StackContext) -> Tensor:
        count = len(self.experts)
        mixed = [expert(tokens[:, e::count], context) for e, expert in enumerate(self.experts)]
        return torch.stack(mixed, 2).flatten(1, 2)


def kunlun_blocks(config: KunlunConfig) -> list[Block]:
    """All layers, first to last."""
    return [KunlunBlock(config, layer) for layer in range(config.num_blocks)]


def kunlun_cost(config: KunlunConfig) -> BlockCost:
    """Closed form of all layers.

    S, s_0 and T_s are those of each of k separate sequences; k = 1 if concatenated.

    Parameters: M [T_x T + 2D + 2Dh + h + D + E Wukong(T / E)]
    + k n_f [s_0 D + 2D + 4D^2 + kr (s_0 T_s + D^2)] + k u/2 [6D^2 + 4D] with u updating layers.
    FLOPs per sample: M [2 T_x T D + 4 T_x D h + E Wukong(T / E)]
    + k n_f [4SD^2 + 4 s_0 S D + 2 s_0 D^2 + 2 kr T_s D (s_0 + D)]
    + k u/2 [4 T_x D^2 + 4 S T_x D + 8SD^2 + 4S^2 D]; per step 2 k n_f s_0 D^2 for the queries of
    the seeds.
    """
    tokens, dim, hidden = config.summary_tokens, config.token_dim, config.hidden
    length, rank, count = config.num_events, config.kron_rank, config.num_sequences
    seeds, pooled = config.seeds // count, config.sequence_tokens // count
    expert = wukong_cost(config.expert())
    norm = norm_params("layer", dim)

    params = tokens * config.num_tokens + norm + GeluFFN.params(1, dim, hidden)
    flops = 2 * tokens * config.num_tokens * dim + GeluFFN.flops(tokens, dim, hidden)
    params += config.num_experts * expert.params
    flops += config.num_experts * expert.flops_per_sample

    pool_params = seeds * dim + norm + 4 * dim**2 + rank * (seeds * pooled + dim**2)
    pool_flops = 4 * length * dim**2 + 4 * seeds * length * dim + 2 * seeds * dim**2
    pool_flops += 2 * rank * pooled * dim * (seeds + dim)

    update_params = 6 * dim**2 + 2 * norm
    update_flops = 4 * tokens * dim**2 + 4 * length * tokens * dim
    update_flops += 8 * length * dim**2 + 4 * length**2 * dim

    layers = config.num_blocks
    pools, updates = count * config.pooling_layers, count * config.updating_layers // 2
    return BlockCost(
        params=layers * params + pools * pool_params + updates * update_params,
        flops_per_sample=layers * flops + pools * pool_flops + updates * update_flops,
        flops_per_step=2 * pools * seeds * dim**2,
    )


def _pooling(config: KunlunConfig) -> SeedPooling:
    return SeedPooling(
        num_seeds=config.seeds // config.num_sequences,
        num_tokens=config.sequence_tokens // config.num_sequences,
        dim=config.token_dim,
        num_heads=config.num_heads,
        rank=config.kron_rank,
    )


def _update(config: KunlunConfig, layer: int) -> nn.Module:
    """Attention to the summary in even layers, between neighbouring events in odd ones."""
    dim, num_heads, length = config.token_dim, config.num_heads, config.num_events
    if layer % 2 == 0:
        return SummaryAttention(dim, num_heads, length)
    rotary = make_rotary(
        config.position,
        length=length,
        time_scale=config.time_scale,
        dim=dim,
        num_heads=num_heads,
    )
    return WindowAttention(dim, num_heads, length=length, window=config.window, rotary=rotary)


def _apply_update(events: Events, update: nn.Module, summary: Tensor) -> Events:
    tokens = update(events.tokens, events.mask, events.ages, summary)
    return replace(events, tokens=tokens * events.mask.unsqueeze(2))


KUNLUN = Family(
    name="kunlun",
    summary="Wukong experts over tokens and a pooled behaviour sequence (unofficial)",
    config=KunlunConfig,
    blocks=kunlun_blocks,
    cost=kunlun_cost,
)
