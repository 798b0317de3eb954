"""Adagrad and lazy Adam on the table rows of a batch, with L2."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from mixfront.training.config import EmbeddingOptimizerConfig
from mixfront.training.tables.embedding import EmbeddingTables


class SparseOptimizer(ABC):
    """Updates only the given rows of the tables; its state has the tables' shape.

    L2 adds `l2 * row` to the gradient of a row at each step whose batch contains it.
    """

    def __init__(self, tables: EmbeddingTables, config: EmbeddingOptimizerConfig) -> None:
        self.step_count = 0  # saved in checkpoints
        self.state: dict[str, Tensor] = {}  # (num_rows, E) each
        self._tables = tables
        self._config = config

    def step(self, row_ids: Tensor, grads: Tensor) -> None:
        """Update distinct rows (U,) with their gradients (U, E)."""
        self.step_count += 1
        with torch.no_grad():
            weight = self._tables.weight
            rows = weight.index_select(0, row_ids)
            if self._config.l2:
                grads = grads.add(rows, alpha=self._config.l2)
            weight.index_copy_(0, row_ids, rows.sub_(self._change(row_ids, grads)))

    def reset(self) -> None:
        """Clear the state, as if training started from the current rows."""
        self.step_count = 0
        for tensor in self.state.values():
            tensor.zero_()

    @abstractmethod
    def _change(self, row_ids: Tensor, grads: Tensor) -> Tensor:
        """The amount to subtract from the rows (U, E); updates the state."""


class Adagrad(SparseOptimizer):
    """Duchi et al. 2011; element-wise."""

    EPS = 1e-10

    def __init__(self, tables: EmbeddingTables, config: EmbeddingOptimizerConfig) -> None:
        super().__init__(tables, config)
        self.state = {"sum": torch.zeros_like(tables.weight)}

    def _change(self, row_ids: Tensor, grads: Tensor) -> Tensor:
        total = self.state["sum"].index_select(0, row_ids).addcmul_(grads, grads)
        self.state["sum"].index_copy_(0, row_ids, total)
        return grads.div(total.sqrt_().add_(self.EPS)).mul_(self._config.lr)


class LazyAdam(SparseOptimizer):
    """Kingma & Ba 2015; moments of rows outside the batch do not decay (as in SparseAdam)."""

    BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

    def __init__(self, tables: EmbeddingTables, config: EmbeddingOptimizerConfig) -> None:
        super().__init__(tables, config)
        self.state = {
            "exp_avg": torch.zeros_like(tables.weight),
            "exp_avg_sq": torch.zeros_like(tables.weight),
        }

    def _change(self, row_ids: Tensor, grads: Tensor) -> Tensor:
        mean = self.state["exp_avg"].index_select(0, row_ids).lerp_(grads, 1 - self.BETA1)
        square = self.state["exp_avg_sq"].index_select(0, row_ids).mul_(self.BETA2)
        square.addcmul_(grads, grads, value=1 - self.BETA2)
        self.state["exp_avg"].index_copy_(0, row_ids, mean)
        self.state["exp_avg_sq"].index_copy_(0, row_ids, square)
        correction1 = 1 - self.BETA1**self.step_count
        correction2 = 1 - self.BETA2**self.step_count
        scale = square.div_(correction2).sqrt_().add_(self.EPS)
        return mean.div_(scale).mul_(self._config.lr / correction1)


def build_sparse_optimizer(
    tables: EmbeddingTables, config: EmbeddingOptimizerConfig
) -> SparseOptimizer:
    """The optimizer for a config."""
    kinds: dict[str, type[SparseOptimizer]] = {"adagrad": Adagrad, "adam": LazyAdam}
    return kinds[config.kind](tables, config)
