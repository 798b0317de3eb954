"""Kunlun with `rote` learns a task that depends on the times of events."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.models import Ranker, build_ranker, make_config

LAYOUT = FeatureLayout(
    fields=(
        FieldLayout(name="item", domain="any", kind="categorical"),
        FieldLayout(
            name="past", domain="any", kind="sequence", length=3, target="item", timed=True
        ),
    ),
    num_rows=2,
    pad_rows=(),
)
KEYS = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8, "sequence_tokens": 2, "num_heads": 2}
MINUTE, OLD = 60.0, 20 * 60.0


def _accuracy(model: Ranker, *, steps: int) -> float:
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        inputs, label = _draw(256, generator)
        optimizer.zero_grad()
        torch.autograd.backward(F.binary_cross_entropy_with_logits(model(*inputs), label))
        optimizer.step()
    inputs, label = _draw(2000, generator)
    with torch.no_grad():
        correct = (model.eval()(*inputs) > 0) == label.bool()
    return float(correct.float().mean())


def _draw(num_rows: int, generator: torch.Generator) -> tuple[tuple[Tensor, ...], Tensor]:
    """Three events of two kinds, two of them a minute old; positive if those two are alike."""
    kinds = torch.randint(2, (num_rows, 3), generator=generator)
    is_old = torch.arange(3) == torch.randint(3, (num_rows, 1), generator=generator)
    pair = kinds[~is_old].view(num_rows, 2)
    events = F.one_hot(kinds, 8).float()
    ages = torch.where(is_old, OLD, MINUTE)
    mask = torch.ones(num_rows, 3, dtype=torch.bool)
    label = (pair[:, 0] == pair[:, 1]).float()
    return (torch.zeros(num_rows, 2, 8), torch.zeros(num_rows, 0), events, mask, ages), label


@pytest.mark.parametrize(
    ("position", "learns"), [("rote", True), ("rope", False), ("none", False)]
)
def test_only_ages_show_which_events_belong_together(position: str, learns: bool) -> None:
    """Without ages, the best accuracy is three in four."""
    torch.manual_seed(0)
    config = make_config("kunlun", {**KEYS, "position": position, "seq_len": 3})
    accuracy = _accuracy(build_ranker("kunlun", config, LAYOUT), steps=100)
    assert accuracy > 0.98 if learns else 0.7 < accuracy < 0.8
