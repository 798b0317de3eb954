"""A global pattern of rank r, applied one factor at a time."""

import torch
from torch import Tensor, nn

from mixfront.models.mixing.sinkhorn_factored import sinkhorn_factored
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions, TemperedPattern


class FactoredGlobal(TemperedPattern):
    """W = diag(u) exp(A_G / tau) exp(B_G / tau) diag(v): 2nr parameters, nr if symmetric.

    Args:
        num_blocks: n.
        rank: r.
        std: Standard deviation of the initial A_G and B_G.
        options: Temperature and rounds; `symmetric` ties B_G = A_G^T.
    """

    def __init__(
        self, num_blocks: int, rank: int, *, std: float, options: SinkhornOptions
    ) -> None:
        super().__init__(options)
        self.left = nn.Parameter(torch.empty(num_blocks, rank))
        nn.init.normal_(self.left, std=std)
        self.right = None if options.symmetric else nn.Parameter(torch.empty(rank, num_blocks))
        if self.right is not None:
            nn.init.normal_(self.right, std=std)

    def factors(self) -> tuple[Tensor, Tensor]:
        """(n, r) and (r, n), float32, whose product is doubly stochastic."""
        factors: tuple[Tensor, Tensor] = self._cache.get(self, self._compute)
        return factors

    def forward(self, x: Tensor) -> Tensor:
        """(n, N, B) -> (n, N, B)."""
        left, right = self.factors()
        return (left @ (right @ x.mT.flatten(1))).view(x.mT.shape).mT

    def cached_rows(self, which: slice) -> Tensor | None:
        """(k, n): rows of the product, which is not formed anywhere else."""
        factors: tuple[Tensor, Tensor] | None = self._cache.value
        return None if factors is None else factors[0][which] @ factors[1]

    def _compute(self) -> tuple[Tensor, Tensor]:
        right = self.left.mT if self.right is None else self.right
        return sinkhorn_factored(self.left, right, self.tau, self._options.num_iters)
