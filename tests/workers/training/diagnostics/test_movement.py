"""The distance of mixing matrices from where they started, with known answers."""

import math

import pytest
import torch

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.models import Ranker, build_ranker, make_config
from mixfront.models.mixing import view as view_module
from mixfront.models.mixing.view import mixing_patterns, mixing_views
from mixfront.training.diagnostics.movement import InitialMixing

FIELDS = tuple(FieldLayout(name=f"f{i}", domain="any", kind="categorical") for i in range(4))
LAYOUT = FeatureLayout(fields=FIELDS, num_rows=4, pad_rows=())
SHAPE = {"num_tokens": 4, "token_dim": 8, "embedding_dim": 4, "num_blocks": 1}
SINKHORN = ("unimixer", "unimixer_lite", "unimixer_lite_factored")


def make(family: str = "unimixer") -> Ranker:
    torch.manual_seed(0)
    return build_ranker(family, make_config(family, SHAPE), LAYOUT).eval()


def distances(initial: InitialMixing, ranker: Ranker) -> list[float]:
    with torch.no_grad():
        ranker(torch.randn(3, 4, 4), torch.zeros(3, 0))
    return [initial.distance(view) for view in mixing_views(ranker)]


@pytest.mark.parametrize("family", SINKHORN)
def test_a_new_temperature_is_no_movement(family: str) -> None:
    ranker = make(family)
    initial = InitialMixing(ranker)
    ranker.set_tau(0.1)
    assert distances(initial, ranker) == [0, 0]


@pytest.mark.parametrize("family", SINKHORN)
def test_new_logits_are_movement_of_their_pattern_alone(family: str) -> None:
    ranker = make(family)
    initial = InitialMixing(ranker)
    with torch.no_grad():
        for parameter in mixing_patterns(ranker)[0, "local"].parameters():
            parameter.add_(torch.randn_like(parameter))
    still, moved = distances(initial, ranker)
    assert still == 0
    assert moved > 0.01


def set_logits(ranker: Ranker, matrix: torch.Tensor) -> None:
    pattern = mixing_patterns(ranker)[0, "global"]
    with torch.no_grad():
        next(pattern.parameters()).copy_(matrix)


def test_from_one_permutation_to_another_is_the_square_root_of_two() -> None:
    ranker = make()
    ranker.set_tau(0.02)
    set_logits(ranker, torch.eye(8))
    initial = InitialMixing(ranker)
    set_logits(ranker, torch.eye(8).flip(0))
    assert distances(initial, ranker)[0] == pytest.approx(math.sqrt(2))


def test_large_matrices_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fourth row is looked at; the others move."""
    monkeypatch.setattr(view_module, "MAX_CELLS", 16)
    ranker = make()
    ranker.set_tau(0.02)
    set_logits(ranker, torch.eye(8))
    initial = InitialMixing(ranker)
    set_logits(ranker, torch.eye(8)[[0, 2, 1, 3, 4, 6, 5, 7]])
    assert distances(initial, ranker)[0] == pytest.approx(0, abs=1e-6)
