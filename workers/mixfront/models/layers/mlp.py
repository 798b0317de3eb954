"""Dense layers with Xavier initialisation, and MLPs built from them."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class ReluMLP(nn.Module):
    """Dense layers with biases, and ReLU and dropout between them.

    Args:
        widths: Input width, hidden widths, output width.
        dropout: Dropout rate after every ReLU.
        last_relu: Apply ReLU and dropout after the last layer too.
    """

    def __init__(
        self, widths: Sequence[int], *, dropout: float = 0.0, last_relu: bool = False
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(dense(d, h) for d, h in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        self._num_relus = len(self.layers) if last_relu else len(self.layers) - 1

    def forward(self, x: Tensor) -> Tensor:
        """(..., first width) -> (..., last width)."""
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index < self._num_relus:
                x = self.dropout(torch.relu(x))
        return x

    @staticmethod
    def params(widths: Sequence[int]) -> int:
        """Number of weights and biases."""
        return sum((d + 1) * h for d, h in pairwise(widths))

    @staticmethod
    def flops(widths: Sequence[int]) -> int:
        """2 per weight, per sample."""
        return sum(2 * d * h for d, h in pairwise(widths))


def dense(dim_in: int, dim_out: int, *, bias: bool = True) -> nn.Linear:
    """A linear layer with Xavier-uniform weights and a zero bias."""
    layer = nn.Linear(dim_in, dim_out, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
