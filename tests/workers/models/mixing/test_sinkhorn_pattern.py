"""Learned patterns: symmetry, temperature, and what is kept between forwards."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mixfront.models.mixing.global_patterns import FullGlobal
from mixfront.models.mixing.sinkhorn import sinkhorn
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions


class Counting(FullGlobal):
    """Counts how often its matrix is made."""

    made = 0

    def logits(self) -> Tensor:
        self.made += 1
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


def test_made_once_in_eval_mode_without_gradients() -> None:
    kept = pattern().eval()
    with torch.no_grad():
        first, second = kept.matrix(), kept.matrix()
    assert kept.made == 1
    assert first is second


def test_made_every_time_while_training_or_differentiating() -> None:
    kept = pattern()
    with torch.no_grad():
        kept.matrix()
        kept.matrix()
    assert kept.made == 2
    kept.eval()
    kept.matrix()
    assert kept.matrix().requires_grad
    assert kept.made == 4


@pytest.mark.parametrize("change", ["tau", "train", "load", "write", "dtype"])
def test_made_again_after_a_change(change: str) -> None:
    kept = pattern().eval()
    with torch.no_grad():
        kept.matrix()
        if change == "tau":
            kept.set_tau(0.1)
        elif change == "train":
            kept.train().eval()
        elif change == "load":
            kept.load_state_dict(pattern().state_dict())
        elif change == "write":
            kept.weight.mul_(2)
        else:
            kept.double()
        kept.matrix()
        kept.matrix()
    assert kept.made == 2


def test_kept_under_inference_mode() -> None:
    kept = pattern().eval()
    with torch.inference_mode():
        kept.matrix()
    with torch.no_grad():
        assert kept(torch.ones(8, 2, 3)).shape == (8, 2, 3)
    assert kept.made == 1
    kept(torch.ones(8, 2, 3)).sum().backward()
