"""Global patterns: one n x n matrix that mixes the n blocks, out_i = sum_j W_ij h_j.

Blocks have shape (n, N, B) and are laid out in memory as [n, B, N], so that mixing is one GEMM
without a copy, (n x n) @ (n x B N).
"""

import torch
from torch import Tensor, nn

from mixfront.models.mixing.sinkhorn_pattern import FactorInit, SinkhornOptions, SinkhornPattern


class FullGlobal(SinkhornPattern):
    """W_G = SK(W / tau) with n^2 parameters (UniMixer).

    Args:
        num_blocks: n.
        std: Standard deviation of the initial logits.
        options: How logits become the matrix.
        initial_logits: (n, n), used instead of random ones.
    """

    def __init__(
        self,
        num_blocks: int,
        *,
        std: float,
        options: SinkhornOptions,
        initial_logits: Tensor | None = None,
    ) -> None:
        super().__init__(options)
        self.weight = nn.Parameter(torch.empty(num_blocks, num_blocks))
        with torch.no_grad():
            if initial_logits is None:
                nn.init.normal_(self.weight, std=std)
            else:
                self.weight.copy_(initial_logits)

    def logits(self) -> Tensor:
        """(n, n)."""
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> (n, N, B)."""
        return mix_blocks(x, self.matrix())


class LowRankGlobal(SinkhornPattern):
    """W_r = SK(A_G B_G / tau), UniMixing-Lite: 2 n r parameters.

    Args:
        num_blocks: n.
        rank: r.
        std: Standard deviation of the initial logits, or of each factor's entries.
        options: How logits become the matrix.
        init: Which of the two `std` is.
    """

    def __init__(
        self,
        num_blocks: int,
        rank: int,
        *,
        std: float,
        options: SinkhornOptions,
        init: FactorInit = "product",
    ) -> None:
        super().__init__(options)
        self.left = nn.Parameter(torch.empty(num_blocks, rank))
        self.right = nn.Parameter(torch.empty(rank, num_blocks))
        for factor in (self.left, self.right):
            nn.init.normal_(factor, std=std if init == "factors" else (std**2 / rank) ** 0.25)

    def logits(self) -> Tensor:
        """(n, n)."""
        return self.left @ self.right

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> (n, N, B)."""
        return mix_blocks(x, self.matrix())


def mix_blocks(x: Tensor, matrix: Tensor) -> Tensor:
    """out_i = sum_j W_ij x_j: blocks (n, N, B), laid out as [n, B, N] before and after."""
    return (matrix @ x.mT.flatten(1)).view(x.mT.shape).mT
