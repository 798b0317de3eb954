"""From mixed tokens to one logit: pooling over tokens, then an MLP."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from mixfront.models._base import RankerConfig
from mixfront.models.precision import outside_autocast


class Head(nn.Module):
    """(N, T, D) -> logits (N,) in float32, whatever the autocast around it.

    The output layer starts with weights of ordinary scale and a zero bias.
    """

    def __init__(self, config: RankerConfig) -> None:
        super().__init__()
        self._pool = config.pool
        widths = _widths(config)
        self.hidden = nn.ModuleList(_linear(d, h) for d, h in pairwise(widths))
        self.output = _linear(widths[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """Pool, run the MLP, return one logit a row."""
        x = self._pooled(x)
        for layer in self.hidden:
            x = torch.relu(layer(x))
        with outside_autocast(x.device):
            logits: Tensor = self.output(x.to(self.output.weight.dtype))
        return logits.squeeze(-1)

    def _pooled(self, x: Tensor) -> Tensor:
        if self._pool == "flatten":
            return x.flatten(1)
        return x.mean(1) if self._pool == "mean" else x.sum(1)


def head_flops(config: RankerConfig) -> int:
    """Forward FLOPs a sample: 2 for each weight of the MLP."""
    widths = [*_widths(config), 1]
    return sum(2 * d * h for d, h in pairwise(widths))


def _widths(config: RankerConfig) -> list[int]:
    tokens = config.num_tokens if config.pool == "flatten" else 1
    return [tokens * config.token_dim, *config.head_hidden]


def _linear(dim_in: int, dim_out: int) -> nn.Linear:
    layer = nn.Linear(dim_in, dim_out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
