"""Every family learns an interaction that no linear model can.

Each row also has a history of the second field's values, which no field summarises. In one task
it is irrelevant; in the other, the label is whether the second field's value is in the history.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.models import RankerConfig, build_ranker, make_config

NUM_VALUES = 4  # of each field; the label is the XOR of the parities of the first two fields
NUM_FIELDS = 4
HISTORY = 3  # maximum number of events
CHECK_EVERY = 25  # steps
LAYOUT = FeatureLayout(
    fields=(
        *(FieldLayout(name=f"f{i}", domain="any", kind="categorical") for i in range(NUM_FIELDS)),
        FieldLayout(
            name="past", domain="any", kind="sequence", length=HISTORY, target="f1", timed=True
        ),
    ),
    num_rows=NUM_FIELDS * NUM_VALUES,
    pad_rows=(),
)
Sample = tuple[Tensor, Tensor, Tensor]  # ids (N, fields + events), mask of events, labels
Draw = Callable[[int, torch.Generator], Sample]


def _exclusive_or(num_rows: int, generator: torch.Generator) -> Sample:
    ids = _ids(num_rows, generator)
    mask = torch.arange(HISTORY) < ids[:, 2:3]  # 0 to 3 events
    label = ((ids[:, 0] + ids[:, 1]) % 2).float()
    return _rows(ids), mask, label


def _seen_before(num_rows: int, generator: torch.Generator) -> Sample:
    ids = _ids(num_rows, generator)
    mask = torch.ones(num_rows, HISTORY, dtype=torch.bool)
    label = (ids[:, NUM_FIELDS:] == ids[:, 1:2]).any(1).float()
    return _rows(ids), mask, label


def _ids(num_rows: int, generator: torch.Generator) -> Tensor:
    return torch.randint(NUM_VALUES, (num_rows, NUM_FIELDS + HISTORY), generator=generator)


def _rows(ids: Tensor) -> Tensor:
    """Rows of the fused table; events are values of the second field."""
    tables = torch.tensor([*range(NUM_FIELDS), *([1] * HISTORY)])
    return ids + NUM_VALUES * tables


def _accuracy(model: nn.Module, draw: Draw, *, steps: int, lr: float, target: float) -> float:
    """Train on new rows for `steps` steps, or until accuracy on other rows is above `target`."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    accuracy = 0.0
    for step in range(1, steps + 1):
        ids, mask, label = draw(128, generator)
        optimizer.zero_grad()
        torch.autograd.backward(F.binary_cross_entropy_with_logits(model(ids, mask), label))
        optimizer.step()
        if step % CHECK_EVERY == 0:
            accuracy = _test(model, draw, generator)
            if accuracy > target:
                break
    return accuracy


def _test(model: nn.Module, draw: Draw, generator: torch.Generator) -> float:
    ids, mask, label = draw(1000, generator)
    with torch.no_grad():
        correct = (model.eval()(ids, mask) > 0) == label.bool()
    model.train()
    return float(correct.float().mean())


class _Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Embedding(LAYOUT.num_rows, 1)

    def forward(self, ids: Tensor, _mask: Tensor) -> Tensor:
        logits: Tensor = self.weight(ids).sum((1, 2))
        return logits


class _WithEmbeddings(nn.Module):
    def __init__(self, family: str, config: RankerConfig) -> None:
        super().__init__()
        self.tables = nn.Embedding(LAYOUT.num_rows, 8)
        nn.init.normal_(self.tables.weight, std=0.01)
        self.ranker = build_ranker(family, config, LAYOUT)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        fields, events = self.tables(ids).split((NUM_FIELDS, HISTORY), dim=1)
        fields = F.pad(fields, (0, 0, 0, 1))  # zeros in place of the mean of the events
        numeric, ages = torch.zeros(len(ids), 0), torch.zeros(mask.shape)
        logits: Tensor = self.ranker(fields, numeric, events, mask, ages)
        return logits


def test_a_linear_model_cannot_learn_exclusive_or() -> None:
    torch.manual_seed(0)
    assert _accuracy(_Linear(), _exclusive_or, steps=100, lr=0.05, target=0.98) < 0.6


@pytest.mark.parametrize("sequence_pool", ["mean", "target"])
def test_learns_exclusive_or(family: str, config: RankerConfig, sequence_pool: str) -> None:
    torch.manual_seed(0)
    model = _WithEmbeddings(family, config.model_copy(update={"sequence_pool": sequence_pool}))
    assert _accuracy(model, _exclusive_or, steps=300, lr=5e-3, target=0.98) > 0.98


@pytest.mark.parametrize(
    ("name", "values", "learns"),
    [
        ("kunlun", {"sequence_tokens": 2, "num_heads": 2}, True),
        ("rankmixer", {"sequence_pool": "target"}, True),
        ("rankmixer", {}, False),  # reads the mean, which is zero here
    ],
)
def test_learns_from_events(name: str, values: dict[str, object], learns: bool) -> None:
    torch.manual_seed(0)
    small = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8}
    model = _WithEmbeddings(name, make_config(name, {**small, **values}))
    accuracy = _accuracy(model, _seen_before, steps=300, lr=5e-3, target=0.98)
    assert (accuracy > 0.98) == learns
