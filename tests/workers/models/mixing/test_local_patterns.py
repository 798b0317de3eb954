"""Local patterns: shared matrices, composed logits, initial values."""

import math

import pytest
import torch

from mixfront.models.mixing.local_patterns import BasisLocal, FullLocal
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions

OPTIONS = SinkhornOptions(num_iters=10, tau=0.2)


def test_a_shared_matrix_serves_all_blocks() -> None:
    shared = FullLocal(6, 4, std=1.0, options=OPTIONS, shared=True)
    separate = FullLocal(6, 4, std=1.0, options=OPTIONS)
    with torch.no_grad():
        separate.weight.copy_(shared.weight.expand(6, -1, -1))
    x = torch.randn(6, 3, 4)
    assert shared.weight.numel() == 16
    torch.testing.assert_close(shared(x), separate(x))


def test_logits_are_composed_from_bases() -> None:
    """sum_l omega_l^i Z_l."""
    local = BasisLocal(6, 4, 2, std=1.0, options=OPTIONS)
    composed = sum(local.omega[:, k, None, None] * local.bases[k] for k in range(2))
    torch.testing.assert_close(local.logits(), composed)


def test_factors_may_start_as_in_the_authors_code() -> None:
    """Glorot-uniform with TensorFlow's fans: b + n, and b B each way; `std` has no effect."""
    torch.manual_seed(0)
    local = BasisLocal(4096, 8, 4, std=9.0, options=OPTIONS, init="factors")
    for weight, fans in ((local.omega, 4 + 4096), (local.bases, 2 * 4 * 8)):
        assert weight.abs().max().item() == pytest.approx(math.sqrt(6 / fans), rel=0.03)
        assert weight.var().item() == pytest.approx(2 / fans, rel=0.15)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_identities_have_the_given_strength(strength: float) -> None:
    local = FullLocal(6, 4, std=1.0, options=OPTIONS, identity=strength)
    assert torch.equal(local.logits(), strength * torch.eye(4).expand(6, 4, 4))


@pytest.mark.parametrize("std", [0.01, 0.1, 1.0])
def test_initial_logits_have_the_given_standard_deviation(std: float) -> None:
    torch.manual_seed(0)
    full = FullLocal(512, 8, std=std, options=OPTIONS)
    composed = BasisLocal(4096, 8, 64, std=std, options=OPTIONS)
    for pattern in (full, composed):
        assert pattern.logits().std().item() == pytest.approx(std, rel=0.15)
