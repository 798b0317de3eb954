"""Every family learns an interaction that no linear model can."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.models import build_ranker, make_config

NUM_VALUES = 4  # of each field; the label is the exclusive or of the first two fields' parity
NUM_FIELDS = 4
CHECK_EVERY = 25  # steps
LAYOUT = FeatureLayout(
    fields=tuple(
        FieldLayout(name=f"f{index}", domain="any", kind="categorical")
        for index in range(NUM_FIELDS)
    ),
    num_rows=NUM_FIELDS * NUM_VALUES,
    pad_rows=(),
)


def _sample(num_rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    ids = torch.randint(NUM_VALUES, (num_rows, NUM_FIELDS), generator=generator)
    label = ((ids[:, 0] + ids[:, 1]) % 2).float()
    return ids + NUM_VALUES * torch.arange(NUM_FIELDS), label


def _accuracy(model: nn.Module, *, steps: int, lr: float, enough: float) -> float:
    """Train on fresh rows for some steps, or until others are told well enough."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    accuracy = 0.0
    for step in range(1, steps + 1):
        ids, label = _sample(128, generator)
        optimizer.zero_grad()
        torch.autograd.backward(F.binary_cross_entropy_with_logits(model(ids), label))
        optimizer.step()
        if step % CHECK_EVERY == 0:
            accuracy = _test(model, generator)
            if accuracy > enough:
                break
    return accuracy


def _test(model: nn.Module, generator: torch.Generator) -> float:
    ids, label = _sample(1000, generator)
    with torch.no_grad():
        right = (model.eval()(ids) > 0) == label.bool()
    model.train()
    return float(right.float().mean())


class _Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Embedding(LAYOUT.num_rows, 1)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.weight(ids).sum((1, 2))
        return logits


class _WithEmbeddings(nn.Module):
    def __init__(self, family: str) -> None:
        super().__init__()
        config = make_config(family, {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8})
        self.tables = nn.Embedding(LAYOUT.num_rows, 8)
        nn.init.normal_(self.tables.weight, std=0.01)
        self.ranker = build_ranker(family, config, LAYOUT)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.ranker(self.tables(ids), torch.zeros(len(ids), 0))
        return logits


def test_a_linear_model_cannot() -> None:
    torch.manual_seed(0)
    assert _accuracy(_Linear(), steps=100, lr=0.05, enough=0.98) < 0.6


def test_learns_exclusive_or(family: str) -> None:
    torch.manual_seed(0)
    assert _accuracy(_WithEmbeddings(family), steps=150, lr=5e-3, enough=0.98) > 0.98
