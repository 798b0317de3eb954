"""Doubly stochastic patterns: symmetry, temperature, and caching between forwards."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mixfront.models.mixing.global_patterns import FullGlobal
from mixfront.models.mixing.sinkhorn import sinkhorn
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions


class Counting(FullGlobal):
    """Counts how often its matrix is computed."""

    computed = 0

    def logits(self) -> Tensor:
        self.computed += 1
        return super().logits()


BASE = SinkhornOptions(num_iters=3, tau=0.5)


def pattern(options: SinkhornOptions = BASE) -> Counting:
    torch.manual_seed(0)
    return Counting(8, std=1.0, options=options)


def test_symmetric_logits() -> None:
    free, tied = pattern(replace(BASE, symmetric=False)), pattern(replace(BASE, num_iters=200))
    torch.testing.assert_close(free.matrix(), sinkhorn(free.weight, 0.5, 3))
    matrix = tied.matrix()
    torch.testing.assert_close(matrix, matrix.t(), atol=1e-5, rtol=0)


def test_resymmetrised_exactly() -> None:
    matrix = pattern(replace(BASE, resymmetrise=True)).matrix()
    assert torch.equal(matrix, matrix.t())
    assert not torch.equal(pattern().matrix(), pattern().matrix().t())


def test_temperature_is_in_the_state_and_sharpens() -> None:
    warm = pattern()
    before = warm.matrix().amax()
    warm.set_tau(0.05)
    assert warm.matrix().amax() > before
    assert warm.state_dict()["tau"].item() == pytest.approx(0.05)
    assert warm.tau.ndim == 0


def test_computed_once_in_eval_mode_without_gradients() -> None:
    cached = pattern().eval()
    with torch.no_grad():
        first, second = cached.matrix(), cached.matrix()
    assert cached.computed == 1
    assert first is second


def test_computed_every_time_in_training_or_with_gradients() -> None:
    cached = pattern()
    with torch.no_grad():
        cached.matrix()
        cached.matrix()
    assert cached.computed == 2
    cached.eval()
    cached.matrix()
    assert cached.matrix().requires_grad
    assert cached.computed == 4


@pytest.mark.parametrize("change", ["tau", "train", "load", "write", "dtype"])
def test_computed_again_after_a_change(change: str) -> None:
    cached = pattern().eval()
    with torch.no_grad():
        cached.matrix()
        if change == "tau":
            cached.set_tau(0.1)
        elif change == "train":
            cached.train().eval()
        elif change == "load":
            cached.load_state_dict(pattern().state_dict())
        elif change == "write":
            cached.weight.mul_(2)
        else:
            cached.double()
        cached.matrix()
        cached.matrix()
    assert cached.computed == 2


def test_cached_under_inference_mode() -> None:
    cached = pattern().eval()
    with torch.inference_mode():
        cached.matrix()
    with torch.no_grad():
        assert cached(torch.ones(8, 2, 3)).shape == (8, 2, 3)
    assert cached.computed == 1
    cached(torch.ones(8, 2, 3)).sum().backward()
