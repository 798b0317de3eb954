"""From mixed tokens to one logit: pooling over tokens, then an MLP."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from mixfront.models._base import Family, HeadKind, RankerConfig
from mixfront.models.layers.mlp import dense
from mixfront.models.layers.precision import outside_autocast

_STARTS = {"mean": 0.0, "sum": -1.0, "flatten": -0.5}  # power of T on the first weights


class Head(nn.Module):
    """(N, T, D) -> logits (N,) in float32, whatever the autocast around it.

    Weights start at ordinary scale for a mean over tokens, 1/T of it for their sum and 1/sqrt(T)
    for tokens side by side: confident logits at random cost much of a single pass.
    """

    def __init__(self, config: RankerConfig) -> None:
        super().__init__()
        self._pool = config.pool
        widths = _widths(config)
        self.hidden = nn.ModuleList(dense(d, h) for d, h in pairwise(widths))
        self.output = dense(widths[-1], 1)
        first: Tensor = [*self.hidden, self.output][0].weight
        with torch.no_grad():
            first.mul_(config.num_tokens ** _STARTS[config.pool])

    def forward(self, x: Tensor, _tokens: Tensor | None = None) -> Tensor:
        """Pool, run the MLP, return one logit a row; unmixed tokens do not matter."""
        x = pooled(x, self._pool)
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return to_logit(self.output, x)


def pooled(x: Tensor, pool: str) -> Tensor:
    """(N, T, D) -> (N, D), or (N, TD) where `pool` is flatten."""
    if pool == "flatten":
        return x.flatten(1)
    return x.mean(1) if pool == "mean" else x.sum(1)


def pooled_dim(config: RankerConfig) -> int:
    """Width of what `pooled` returns."""
    tokens = config.num_tokens if config.pool == "flatten" else 1
    return tokens * config.token_dim


def to_logit(output: nn.Linear, x: Tensor) -> Tensor:
    """(N, d) -> (N,) in the weights' precision, also under autocast."""
    with outside_autocast(x.device):
        logits: Tensor = output(x.to(output.weight.dtype))
    return logits.squeeze(-1)


def head_flops(config: RankerConfig) -> int:
    """Forward FLOPs a sample: 2 for each weight of the MLP."""
    widths = [*_widths(config), 1]
    return sum(2 * d * h for d, h in pairwise(widths))


def head_kind(family: Family[Any]) -> HeadKind[Any]:
    """A family's own head, or the one above."""
    return family.head or HeadKind(make=Head, flops=head_flops)


def _widths(config: RankerConfig) -> list[int]:
    return [pooled_dim(config), *config.head_hidden]
