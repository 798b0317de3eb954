"""Patterns without a constraint: plain weights instead of doubly stochastic matrices.

Blocks come as (n, N, B), as for the constrained patterns. These are weights like any other, so
they are decayed and have no temperature.
"""

import math

import torch
from torch import Tensor, nn

from mixfront.models.layers.eval_cache import EvalCache
from mixfront.models.layers.per_token import PerTokenLinear
from mixfront.models.layers.precision import outside_autocast
from mixfront.models.mixing.global_patterns import mix_blocks
from mixfront.models.mixing.local_patterns import map_blocks


class FreeLocal(nn.Module):
    """h_i = x_i W^i with any W^i: n B^2 parameters, B^2 if one serves all blocks.

    With B = D the blocks are the tokens, and this is attention's W_V.

    Args:
        num_blocks: n.
        block_size: B.
        shared: One matrix for all blocks.
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
    """h_i = x_i sum_l omega_l^i Z_l: b B^2 + n b parameters, composed once a forward.

    Args:
        num_blocks: n.
        block_size: B.
        num_bases: b.
    """

    def __init__(self, num_blocks: int, block_size: int, num_bases: int) -> None:
        super().__init__()
        self.omega = nn.Parameter(torch.empty(num_blocks, num_bases))
        self.bases = nn.Parameter(torch.empty(num_bases, block_size, block_size))
        for factor in (self.omega, self.bases):  # composed, the variance is Xavier's, 1 / B
            nn.init.normal_(factor, std=(block_size * num_bases) ** -0.25)
        self._cache = EvalCache[Tensor]()

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> (n, N, B)."""
        return map_blocks(x, self._cache.get(self, self._compose))

    def _compose(self) -> Tensor:
        with outside_autocast(self.omega.device):
            return (self.omega @ self.bases.flatten(1)).view(-1, *self.bases.shape[1:])


class ParameterLocal(nn.Module):
    """The parameter Y of a factorisation machine: the same blocks for every row.

    Args:
        num_blocks: n.
        block_size: B.
    """

    def __init__(self, num_blocks: int, block_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_blocks, block_size))
        nn.init.normal_(self.weight, std=1 / block_size)

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> Y as (n, N, B), whatever the values of `x`.

        A copy: ZeRO-3 takes a module's parameters away again once its forward has returned.
        """
        return self.weight.clone().unsqueeze(1).expand(x.shape)


class FreeGlobal(nn.Module):
    """out_i = sum_j W_ij h_j with any W: n^2 parameters.

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
