"""Local patterns: one B x B matrix for each of the n blocks of the flattened input.

h_i = x_i W_B^i (UniMixer). Blocks have shape (n, N, B) and are laid out in memory as [n, B, N],
so that the product with a small matrix runs along all rows of the batch. With `shared`, all
blocks use one matrix, an ablation in UniMixer's Table 3.
"""

import math

import torch
from torch import Tensor, nn

from mixfront.models.mixing.sinkhorn_pattern import FactorInit, SinkhornOptions, SinkhornPattern


class FullLocal(SinkhornPattern):
    """Separate logits for every W_B^i: n B^2 parameters.

    Args:
        num_blocks: n.
        block_size: B.
        std: Standard deviation of the initial logits.
        options: How logits become matrices.
        identity: Initialise the logits with this multiple of the identity instead of at random.
        shared: Use one matrix for all blocks.
    """

    def __init__(
        self,
        num_blocks: int,
        block_size: int,
        *,
        std: float,
        options: SinkhornOptions,
        identity: float | None = None,
        shared: bool = False,
    ) -> None:
        super().__init__(options)
        count = 1 if shared else num_blocks
        self.weight = nn.Parameter(torch.empty(count, block_size, block_size))
        with torch.no_grad():
            if identity is None:
                nn.init.normal_(self.weight, std=std)
            else:
                self.weight.copy_(identity * torch.eye(block_size).expand_as(self.weight))

    def logits(self) -> Tensor:
        """(n or 1, B, B)."""
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> (n, N, B)."""
        return map_blocks(x, self.matrix())


class BasisLocal(SinkhornPattern):
    """W_B^i = SK(sum_l omega_l^i Z_l / tau), UniMixing-Lite: b B^2 + n b parameters.

    Args:
        num_blocks: n.
        block_size: B.
        num_bases: b.
        std: Standard deviation of the initial composed logits; unused if `init` is "factors".
        options: How logits become matrices.
        shared: Use one set of coefficients for all blocks.
        init: "factors" draws coefficients and bases separately, by Glorot's uniform
            distribution, as the authors' code does.
    """

    def __init__(
        self,
        num_blocks: int,
        block_size: int,
        num_bases: int,
        *,
        std: float,
        options: SinkhornOptions,
        shared: bool = False,
        init: FactorInit = "product",
    ) -> None:
        super().__init__(options)
        count = 1 if shared else num_blocks
        self.omega = nn.Parameter(torch.empty(count, num_bases))
        self.bases = nn.Parameter(torch.empty(num_bases, block_size, block_size))
        if init == "factors":
            _glorot_uniform(self.omega, num_bases + count)
            # TensorFlow's fans of a (b, B, B) weight are b B each.
            _glorot_uniform(self.bases, 2 * num_bases * block_size)
            return
        for factor in (self.omega, self.bases):
            nn.init.normal_(factor, std=(std**2 / num_bases) ** 0.25)

    def logits(self) -> Tensor:
        """(n or 1, B, B)."""
        return (self.omega @ self.bases.flatten(1)).view(-1, *self.bases.shape[1:])

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> (n, N, B)."""
        return map_blocks(x, self.matrix())


def _glorot_uniform(weight: Tensor, fans: int) -> None:
    """Initialise uniformly within sqrt(6 / (fan in + fan out))."""
    bound = math.sqrt(6 / fans)
    nn.init.uniform_(weight, -bound, bound)


def map_blocks(x: Tensor, matrices: Tensor) -> Tensor:
    """x_i W_i: blocks (n, N, B), laid out as [n, B, N] before and after; W (n or 1, B, B)."""
    return torch.bmm(matrices.expand(len(x), -1, -1).mT, x.mT).mT
