"""Global patterns: rank and initial values of the logits."""

import pytest
import torch

from mixfront.models.mixing.global_patterns import FullGlobal, LowRankGlobal
from mixfront.models.mixing.sinkhorn_pattern import SinkhornOptions

OPTIONS = SinkhornOptions(num_iters=10, tau=0.2)


def test_logits_have_low_rank_but_the_matrix_does_not() -> None:
    pattern = LowRankGlobal(6, 2, std=1.0, options=OPTIONS)
    assert torch.linalg.matrix_rank(pattern.logits()) == 2
    assert torch.linalg.matrix_rank(pattern.matrix()) > 2


def test_the_deviation_may_be_that_of_each_factor() -> None:
    torch.manual_seed(0)
    pattern = LowRankGlobal(256, 32, std=0.1, options=OPTIONS, init="factors")
    assert pattern.left.std().item() == pytest.approx(0.1, rel=0.05)
    assert pattern.right.std().item() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("std", [0.01, 0.1, 1.0])
def test_initial_logits_have_the_given_standard_deviation(std: float) -> None:
    torch.manual_seed(0)
    full = FullGlobal(256, std=std, options=OPTIONS)
    low_rank = LowRankGlobal(256, 32, std=std, options=OPTIONS)
    for pattern in (full, low_rank):
        assert pattern.logits().std().item() == pytest.approx(std, rel=0.15)
