"""Unconstrained patterns: plain weights instead of doubly stochastic matrices.

Blocks have shape (n, N, B), as in the constrained patterns. The weights are ordinary ones: they
are subject to weight decay and have no temperature.
"""

import math

import torch
from torch import Tensor, nn

from mixfront.models.layers.eval_cache import EvalCache
from mixfront.models.layers.per_token import PerTokenLinear
from mixfront.models.layers.precision import no_autocast
from mixfront.models.mixing.global_patterns import mix_blocks
from mixfront.models.mixing.local_patterns import map_blocks


class FreeLocal(nn.Module):
    """h_i = x_i W^i with unconstrained W^i: n B^2 parameters, B^2 if shared.

    With B = D the blocks are the tokens, and this is the W_V of attention.

    Args:
        num_blocks: n.
        block_size: B.
        shared: Use one matrix for all blocks.
    """

    def __init__(self, num_blocks: int, block_size: int, *, shared: bool = False) -> None:
        super().__init__()
        self.project = PerTokenLinear(
            num_blocks, block_size, block_size, shared=shared, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> (n, N, B)."""
        out: Tensor = self.project(x.transpose(0, 1)).transpose(0, 1)
        return out


class FreeBasisLocal(nn.Module):
    """h_i = x_i sum_l omega_l^i Z_l: b B^2 + n b parameters, composed once per forward.

    Args:
        num_blocks: n.
        block_size: B.
        num_bases: b.
    """

    def __init__(self, num_blocks: int, block_size: int, num_bases: int) -> None:
        super().__init__()
        self.omega = nn.Parameter(torch.empty(num_blocks, num_bases))
        self.bases = nn.Parameter(torch.empty(num_bases, block_size, block_size))
        for factor in (self.omega, self.bases):  # the composed matrix has Xavier's variance, 1 / B
            nn.init.normal_(factor, std=(block_size * num_bases) ** -0.25)
        self._cache = EvalCache[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> (n, N, B)."""
        return map_blocks(x, self._cache.get(self, self._compose))

    def _compose(self) -> Tensor:
        with no_autocast(self.omega.device):
            return (self.omega @ self.bases.flatten(1)).view(-1, *self.bases.shape[1:])


class ParameterLocal(nn.Module):
    """The parameter Y of a factorisation machine: the same output for every row.

    Args:
        num_blocks: n.
        block_size: B.
    """

    def __init__(self, num_blocks: int, block_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_blocks, block_size))
        nn.init.normal_(self.weight, std=1 / block_size)

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> Y expanded to (n, N, B); only the shape of `x` matters.

        Y is copied, because ZeRO-3 frees a module's parameters once its forward has returned.
        """
        return self.weight.clone().unsqueeze(1).expand(x.shape)


class FreeGlobal(nn.Module):
    """out_i = sum_j W_ij h_j with an unconstrained W: n^2 parameters.

    Args:
        num_blocks: n.
    """

    def __init__(self, num_blocks: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_blocks, num_blocks))
        bound = math.sqrt(3 / num_blocks)  # Xavier
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> (n, N, B)."""
        return mix_blocks(x, self.weight)
