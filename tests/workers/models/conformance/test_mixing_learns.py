"""At packaged defaults, 82 steps (one pass of KuaiRand) move every family's mixing matrices.

From the bare defaults of every family that learns mixing, and from the extremes of the packaged
spaces: the first and the last value of everything that shapes the start, the temperature and the
learning rate of the logits.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.models import Ranker, RankerConfig, build_ranker, make_config
from mixfront.models.mixing.view import mixing_views
from mixfront.records.trial_notes import STILL
from mixfront.spaces import load_space
from mixfront.spaces.parameters import Choice, Fixed
from mixfront.training.config import DenseOptimizerConfig
from mixfront.training.diagnostics.movement import InitialMixing
from mixfront.training.optimizer import build_optimizer
from mixfront.training.quiet_start import QUIET
from mixfront.training.schedules import tau_at

STEPS, ROWS = 82, 128
NUM_FIELDS, NUM_VALUES = 4, 4
FIELDS = tuple(
    FieldLayout(name=f"f{i}", domain="any", kind="categorical") for i in range(NUM_FIELDS)
)
LAYOUT = FeatureLayout(fields=FIELDS, num_rows=NUM_FIELDS * NUM_VALUES, pad_rows=())
SHAPE = {"num_tokens": 4, "token_dim": 16, "embedding_dim": 8, "num_blocks": 1, "block_size": 4}
SINKHORN = ("unimixer", "unimixer_lite", "unimixer_lite_factored", "unified")
FACTOR = "optimizer.mixing_lr_factor"
START = (
    "init", "init_strength", "factor_init", "logit_init_std", "transpose", "symmetric", "stack",
    "tau_start", "tau_end", "tau_schedule", FACTOR,
)  # fmt: skip
SPACES = [
    ("kuairand_families", "unimixer"),
    ("kuairand_families", "unimixer_lite"),
    ("kuairand_families", "unimixer_lite_factored"),
    *((family, family) for family in SINKHORN),
    ("demo", "unimixer"),
    ("demo", "unimixer_lite"),
]


def start_of(space: str, family: str, position: int) -> dict[str, Any]:
    """The first (0) or the last (-1) values of a family's start in a packaged space."""
    loaded = load_space(space)
    values: dict[str, Any] = {}
    for name, parameter in (loaded.shared | loaded.families[family]).items():
        if name not in START:
            continue
        if isinstance(parameter, Fixed):
            values[name] = parameter.value
        elif isinstance(parameter, Choice):
            values[name] = parameter.values[position]
        else:
            values[name] = (parameter.low, parameter.high)[position]
    return values


def distances(family: str, values: dict[str, Any]) -> list[float]:
    """How far each pattern of a small model moves, global and local."""
    factor = values.pop(FACTOR, DenseOptimizerConfig().mixing_lr_factor)
    config = make_config(family, SHAPE | values)
    torch.manual_seed(0)
    ranker = build_ranker(family, config, LAYOUT)
    initial = InitialMixing(ranker)
    rows, numeric = train(ranker, config, factor), torch.zeros(ROWS, 0)
    ranker.eval().set_tau(tau(config, STEPS))
    with torch.no_grad():
        ranker(rows, numeric)
    return [initial.distance(view) for view in mixing_views(ranker)]


def train(ranker: Ranker, config: RankerConfig, factor: float) -> Tensor:
    """Train on labels that are the XOR of two parities, from a quiet start; returns a batch."""
    tables = nn.Embedding(LAYOUT.num_rows, config.embedding_dim)
    nn.init.normal_(tables.weight, std=1e-4)
    names = ranker.no_decay_names(), ranker.mixing_names()
    dense = build_optimizer(
        ranker, names[0], DenseOptimizerConfig(mixing_lr_factor=factor), names[1]
    )
    sparse = torch.optim.Adagrad(tables.parameters(), lr=1e-2)
    generator, numeric = torch.Generator().manual_seed(0), torch.zeros(ROWS, 0)
    for step in range(STEPS):
        ids = torch.randint(NUM_VALUES, (ROWS, NUM_FIELDS), generator=generator)
        fields: Tensor = tables(ids + NUM_VALUES * torch.arange(NUM_FIELDS))
        ranker.set_tau(tau(config, step))
        if step == 0:
            ranker.start_quietly(QUIET / ranker(fields, numeric).std().item(), 0.0)
        label = ((ids[:, 0] + ids[:, 1]) % 2).float()
        loss = F.binary_cross_entropy_with_logits(ranker(fields, numeric), label)
        torch.autograd.backward(loss)
        for optimizer in (dense, sparse):
            optimizer.step()
            optimizer.zero_grad()
    return fields.detach()


def tau(config: RankerConfig, step: int) -> float:
    temperature = config.temperature()
    assert temperature is not None
    return tau_at(temperature, step, STEPS)


@pytest.mark.parametrize("family", SINKHORN)
def test_mixing_moves_at_a_familys_defaults(family: str) -> None:
    assert min(distances(family, {})) > STILL


@pytest.mark.parametrize("position", [0, -1], ids=["first", "last"])
@pytest.mark.parametrize(("space", "family"), SPACES)
def test_mixing_moves_at_the_extremes_of_a_packaged_space(
    space: str, family: str, position: int
) -> None:
    moved = distances(family, start_of(space, family, position))
    assert sum(moved) / len(moved) > STILL


def test_mixing_that_cannot_move_is_seen() -> None:
    """A peaked start at a low temperature with the learning rate of the other weights."""
    stuck = {"init": "near_perm", "init_strength": 1.0, "tau_start": 0.05, FACTOR: 1.0}
    assert max(distances("unimixer", stuck)) < STILL
