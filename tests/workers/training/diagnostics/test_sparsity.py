"""Effective support and largest share of matrices with known answers."""

import pytest
import torch
from torch import Tensor

from mixfront.models.mixing import view as view_module
from mixfront.models.mixing.view import MixingView
from mixfront.training.diagnostics.sparsity import sparsity


def view_of(matrices: Tensor) -> MixingView:
    return MixingView(
        layer=0,
        kind="global" if len(matrices) == 1 else "local",
        count=len(matrices),
        size=matrices.shape[-1],
        tau=1.0,
        rows=lambda which: matrices[:, which],
    )


def test_uniform_rows_and_one_hot_rows() -> None:
    assert sparsity(view_of(torch.full((1, 8, 8), 1 / 8))) == pytest.approx((8.0, 1 / 8))
    assert sparsity(view_of(torch.eye(8)[None])) == pytest.approx((1.0, 1.0))


def test_results_are_means_over_the_rows_of_all_matrices() -> None:
    both = torch.stack([torch.full((4, 4), 1 / 4), torch.eye(4)])
    assert sparsity(view_of(both)) == pytest.approx((2.5, 0.625))


def test_rows_need_not_sum_to_one() -> None:
    assert sparsity(view_of(1.3 * torch.eye(8)[None])) == pytest.approx((1.0, 1.0))


def test_rows_of_a_large_matrix_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_module, "MAX_CELLS", 16)
    matrix = torch.eye(8)
    matrix[1::2] = 1 / 8  # every fourth row is sampled
    assert sparsity(view_of(matrix[None])) == pytest.approx((1.0, 1.0))
