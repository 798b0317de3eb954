"""The base of doubly stochastic patterns: temperature, symmetry, one Sinkhorn per forward."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mixfront.models.layers.eval_cache import EvalCache
from mixfront.models.layers.precision import at_least_fp32, no_autocast
from mixfront.models.mixing.sinkhorn import sinkhorn

# What the initial deviation is that of: the logits, which are a product, or each of their factors.
FactorInit = Literal["product", "factors"]


@dataclass(frozen=True, kw_only=True)
class SinkhornOptions:
    """How logits become a doubly stochastic matrix.

    Attributes:
        num_iters: Sinkhorn rounds, each normalising rows, then columns.
        symmetric: Symmetrise the logits before Sinkhorn, (W + W^T) / 2.
        resymmetrise: Symmetrise the result too; row and column sums are then equally inexact.
        tau: Initial temperature.
    """

    num_iters: int = 20
    symmetric: bool = True
    resymmetrise: bool = False
    tau: float = 1.0


class TemperedPattern(nn.Module, ABC):
    """A pattern with a Sinkhorn temperature; all its parameters are Sinkhorn logits.

    In eval mode without gradients the normalised matrices are cached until weights, temperature,
    device or mode change. The temperature is a buffer in the state dict, because the output
    depends on it.
    """

    tau: Tensor
    _cache: EvalCache[Any]

    def __init__(self, options: SinkhornOptions) -> None:
        super().__init__()
        self._options = options
        self._cache = EvalCache()
        self.register_buffer("tau", torch.tensor(float(options.tau)))

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Apply the pattern to blocks (n, N, B)."""

    @abstractmethod
    def _compute(self) -> Any:
        """What `_cache` holds: the doubly stochastic matrices, or their factors."""

    def fill_cache(self) -> None:
        """Compute the matrices as a forward would; in eval mode without gradients, cache them."""
        self._cache.get(self, self._compute)

    def clear_cache(self) -> None:
        """Free the cached matrices."""
        self._cache.clear()

    @abstractmethod
    def cached_rows(self, which: slice) -> Tensor | None:
        """Rows of the cached doubly stochastic matrices (..., k, m), float32; None if not cached.

        They come from the last forward in eval mode without gradients. The weights are not
        read: under ZeRO-3 they are freed after the forward.
        """

    def set_tau(self, tau: float) -> None:
        """Set the temperature from the next forward on."""
        self.tau.fill_(tau)
        self.clear_cache()

    def train(self, mode: bool = True) -> "TemperedPattern":
        """Switch mode and empty the cache, because weights change in training."""
        self.clear_cache()
        return super().train(mode)


class SinkhornPattern(TemperedPattern):
    """A pattern with matrices SK(logits / tau)."""

    @abstractmethod
    def logits(self) -> Tensor:
        """(..., m, m) before symmetrising; called with autocast disabled."""

    def matrix(self) -> Tensor:
        """The doubly stochastic matrices (..., m, m), float32."""
        matrix: Tensor = self._cache.get(self, self._compute)
        return matrix

    def cached_rows(self, which: slice) -> Tensor | None:
        """(..., k, m), a view."""
        matrix: Tensor | None = self._cache.value
        return None if matrix is None else matrix[..., which, :]

    def _compute(self) -> Tensor:
        with no_autocast(self.tau.device):
            logits = at_least_fp32(self.logits())
            if self._options.symmetric:
                logits = (logits + logits.mT) / 2
            matrix = sinkhorn(logits, self.tau, self._options.num_iters)
            return (matrix + matrix.mT) / 2 if self._options.resymmetrise else matrix
