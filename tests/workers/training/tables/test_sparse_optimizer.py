"""Sparse updates, compared with torch's dense and sparse optimizers on the same rows."""

import pytest
import torch

from mixfront.data import FeatureLayout
from mixfront.training.config import EmbeddingOptimizerConfig
from mixfront.training.tables.embedding import EmbeddingTables
from mixfront.training.tables.sparse_optimizer import SparseOptimizer, build_sparse_optimizer

LAYOUT = FeatureLayout(fields=(), num_rows=12, pad_rows=(0,))


def make(kind: str, **values: float) -> tuple[EmbeddingTables, SparseOptimizer]:
    tables = EmbeddingTables.fresh(LAYOUT, 3, init_std=1.0, seed=0)
    config = EmbeddingOptimizerConfig.model_validate({"kind": kind, "lr": 0.1, **values})
    return tables, build_sparse_optimizer(tables, config)


def gradients(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    row_ids = (torch.randperm(11, generator=generator)[:4] + 1).sort().values
    return row_ids, torch.randn(4, 3, generator=generator)


def test_adagrad_equals_torchs_adagrad() -> None:
    tables, optimizer = make("adagrad")
    weight = torch.nn.Parameter(tables.weight.clone())
    oracle = torch.optim.Adagrad([weight], lr=0.1)
    for step in range(6):
        row_ids, grads = gradients(step)
        optimizer.step(row_ids, grads)
        weight.grad = torch.zeros_like(weight).index_copy(0, row_ids, grads)
        oracle.step()  # Adagrad does not change rows with zero gradient
    torch.testing.assert_close(tables.weight, weight.detach())


def test_lazy_adam_equals_torchs_sparse_adam() -> None:
    tables, optimizer = make("adam")
    weight = torch.nn.Parameter(tables.weight.clone())
    oracle: torch.optim.Optimizer = torch.optim.SparseAdam([weight], lr=0.1)
    for step in range(6):
        row_ids, grads = gradients(step)
        optimizer.step(row_ids, grads)
        weight.grad = torch.sparse_coo_tensor(
            row_ids.unsqueeze(0), grads, tuple(weight.shape), check_invariants=True
        )
        oracle.step()
    torch.testing.assert_close(tables.weight, weight.detach())


@pytest.mark.parametrize("kind", ["adagrad", "adam"])
def test_l2_applies_only_to_the_rows_of_the_batch(kind: str) -> None:
    tables, optimizer = make(kind, l2=0.5)
    plain, oracle = make(kind)
    row_ids, grads = gradients(0)
    optimizer.step(row_ids, grads)
    oracle.step(row_ids, grads + 0.5 * plain.weight[row_ids])
    assert torch.equal(tables.weight, plain.weight)
    untouched = sorted(set(range(12)) - set(row_ids.tolist()))
    fresh, _ = make(kind)
    assert torch.equal(tables.weight[untouched], fresh.weight[untouched])


@pytest.mark.parametrize("kind", ["adagrad", "adam"])
def test_reset_clears_the_state(kind: str) -> None:
    tables, optimizer = make(kind)
    optimizer.step(*gradients(0))
    before = tables.weight.clone()
    optimizer.reset()
    fresh = EmbeddingTables(LAYOUT, before.clone())
    config = EmbeddingOptimizerConfig.model_validate({"kind": kind, "lr": 0.1})
    other = build_sparse_optimizer(fresh, config)
    optimizer.step(*gradients(1))
    other.step(*gradients(1))
    assert torch.equal(tables.weight, fresh.weight)
    assert optimizer.step_count == 1
