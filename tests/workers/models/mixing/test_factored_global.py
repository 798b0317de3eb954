"""The factored global pattern."""

import pytest
import torch

from mixfront.models.mixing.factored_global import FactoredGlobal
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions


def test_mixes_by_the_product_of_the_factors() -> None:
    options = SinkhornOptions(symmetric=False, tau=0.3)
    pattern, x = FactoredGlobal(12, 5, std=1.0, options=options), torch.randn(12, 4, 3)
    left, right = pattern.factors()
    expected = torch.einsum("ij,jnb->inb", left @ right, x)
    torch.testing.assert_close(pattern(x), expected)
    assert torch.linalg.matrix_rank(left @ right) <= 5


def test_tied_factors_are_symmetric_once_converged() -> None:
    options = SinkhornOptions(symmetric=True, num_iters=100, tau=0.5)
    pattern = FactoredGlobal(12, 5, std=1.0, options=options)
    left, right = pattern.factors()
    matrix = left @ right
    assert [name for name, _ in pattern.named_parameters()] == ["left"]
    torch.testing.assert_close(matrix, matrix.T, atol=1e-5, rtol=0)


@pytest.mark.parametrize("change", ["tau", "write"])
def test_factors_are_cached_only_when_serving(change: str) -> None:
    pattern = FactoredGlobal(6, 3, std=1.0, options=SinkhornOptions()).eval()
    with torch.no_grad():
        cached = pattern.factors()
        assert pattern.factors() is cached
        if change == "tau":
            pattern.set_tau(0.2)
        else:
            pattern.left.mul_(2)
        assert not torch.equal(pattern.factors()[0], cached[0])
    assert pattern.factors()[0].requires_grad
