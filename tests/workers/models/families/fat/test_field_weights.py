"""FAT's composed weights against the paper's formula."""

import pytest
import torch

from mixfront.models.families.fat.block import FATConfig
from mixfront.models.families.fat.field_weights import ComposedWeights

FIELDS, D, HIDDEN = 3, 4, 5


def make_weights(num_bases: int = 6, active: int = 2) -> ComposedWeights:
    torch.manual_seed(0)
    return ComposedWeights(FIELDS, D, HIDDEN, num_bases=num_bases, active=active, embedding_dim=3)


def test_weights_are_composed_from_the_selected_bases() -> None:
    """W^f = sum over the top K of softmax(g(phi_f))_m B_m."""
    weights = make_weights()
    project, up, down = weights()
    field_scores = (weights.fields @ weights.pick).view(FIELDS, 5, 6)
    bases = [*weights.project, weights.up, weights.down]
    for f in range(FIELDS):
        composed = []
        for kind in range(5):
            top, indices = field_scores[f, kind].sort(descending=True)
            alpha = top[:2].softmax(0)
            composed.append(
                alpha[0] * bases[kind][indices[0]] + alpha[1] * bases[kind][indices[1]]
            )
        torch.testing.assert_close(project[f], torch.cat(composed[:3], dim=1))
        torch.testing.assert_close(up[f], composed[3])
        torch.testing.assert_close(down[f], composed[4])


def test_composed_weights_are_cached_only_when_serving() -> None:
    weights = make_weights().eval()
    with torch.no_grad():
        cached = weights()[1]
        assert weights()[1] is cached
        weights.up.mul_(2)
        changed = weights()[1]
        torch.testing.assert_close(changed, 2 * cached)
    assert weights()[1] is not changed
    assert weights()[1].requires_grad


@pytest.mark.parametrize("num_bases", [0, 16])
def test_composed_weights_start_at_the_scale_of_separate_ones(num_bases: int) -> None:
    config = FATConfig(token_dim=32, num_tokens=8, num_bases=num_bases)
    _, up, _ = config.field_weights()()
    assert up.std().item() == pytest.approx((2 / (32 + 128)) ** 0.5, rel=0.15)
