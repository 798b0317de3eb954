"""Unconstrained patterns against their formulas, and their initial scale."""

import pytest
import torch

from mixfront.models.mixing.free_patterns import (
    FreeBasisLocal,
    FreeGlobal,
    FreeLocal,
    ParameterLocal,
)

X = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(0))  # n = 6, N = 3, B = 4


@pytest.mark.parametrize("shared", [False, True])
def test_local_matrices(shared: bool) -> None:
    pattern = FreeLocal(6, 4, shared=shared)
    matrices = pattern.project.weight.expand(6, -1, -1)
    torch.testing.assert_close(pattern(X), torch.bmm(X, matrices))


def test_local_matrices_composed_from_bases() -> None:
    pattern = FreeBasisLocal(6, 4, 2)
    matrices = torch.einsum("nl,lbc->nbc", pattern.omega, pattern.bases)
    torch.testing.assert_close(pattern(X), torch.bmm(X, matrices))


def test_a_parameter_ignores_the_values_of_its_input() -> None:
    pattern = ParameterLocal(6, 4)
    assert torch.equal(pattern(X), pattern.weight[:, None].expand(6, 3, 4))
    assert torch.equal(pattern(X), pattern(2 * X))


def test_global_matrix() -> None:
    pattern = FreeGlobal(6)
    torch.testing.assert_close(pattern(X), torch.einsum("ij,jnb->inb", pattern.weight, X))


@torch.no_grad()
def test_patterns_keep_the_variance_of_their_input() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 32, 16)
    for pattern in (FreeLocal(64, 16), FreeBasisLocal(64, 16, 8), FreeGlobal(64)):
        assert pattern(x).var().item() == pytest.approx(1, rel=0.3)
