"""The default head: pools the mixed tokens and maps them to one logit with an MLP."""

from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from mixfront.models._base import Family, HeadKind, RankerConfig
from mixfront.models.layers.mlp import dense
from mixfront.models.layers.precision import no_autocast

_INIT_EXPONENTS = {"mean": 0.0, "sum": -1.0, "flatten": -0.5}  # of T, a factor on the first layer


@runtime_checkable
class ScalesOutput(Protocol):
    """A head whose logit has one last linear layer, with no other path around it."""

    def scale_output(self, factor: float) -> None:
        """Multiply the weights of the last layer."""


class Head(nn.Module):
    """(N, T, D) -> logits (N,), float32 also under autocast.

    The first layer's initial weights are scaled by 1 for mean pooling, 1/T for a sum and 1/sqrt(T)
    for flattened tokens: random but confident logits at the start would waste much of a
    single-epoch training run.
    """

    def __init__(self, config: RankerConfig) -> None:
        super().__init__()
        self._pool = config.pool
        widths = _widths(config)
        self.hidden = nn.ModuleList(dense(d, h) for d, h in pairwise(widths))
        self.output = dense(widths[-1], 1)
        first: Tensor = [*self.hidden, self.output][0].weight
        with torch.no_grad():
            first.mul_(config.num_tokens ** _INIT_EXPONENTS[config.pool])

    def forward(self, x: Tensor, _tokens: Tensor | None = None) -> Tensor:
        """One logit per row; the unmixed tokens are not used."""
        x = pooled(x, self._pool)
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return to_logit(self.output, x)

    @torch.no_grad()
    def scale_output(self, factor: float) -> None:
        """Multiply the weights of the last layer."""
        self.output.weight.mul_(factor)


def pooled(x: Tensor, pool: str) -> Tensor:
    """(N, T, D) -> (N, D), or (N, TD) if `pool` is "flatten"."""
    if pool == "flatten":
        return x.flatten(1)
    return x.mean(1) if pool == "mean" else x.sum(1)


def pooled_dim(config: RankerConfig) -> int:
    """Width of the output of `pooled`."""
    tokens = config.num_tokens if config.pool == "flatten" else 1
    return tokens * config.token_dim


def to_logit(output: nn.Linear, x: Tensor) -> Tensor:
    """(N, d) -> (N,) in the precision of the weights, also under autocast."""
    with no_autocast(x.device):
        logits: Tensor = output(x.to(output.weight.dtype))
    return logits.squeeze(-1)


def head_flops(config: RankerConfig) -> int:
    """Forward FLOPs per sample: 2 per weight of the MLP."""
    widths = [*_widths(config), 1]
    return sum(2 * d * h for d, h in pairwise(widths))


def head_kind(family: Family[Any]) -> HeadKind[Any]:
    """A family's own head, or the default one."""
    return family.head or HeadKind(make=Head, flops=head_flops)


def _widths(config: RankerConfig) -> list[int]:
    return [pooled_dim(config), *config.head_hidden]
