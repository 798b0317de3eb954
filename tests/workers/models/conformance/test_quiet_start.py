"""The logits of every family are small at the start, also of a family that mixfront lacks."""

from typing import Any

import pytest
import torch
from tests.workers.models.conformance.conftest import OWN_KEYS
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.models import Ranker, RankerConfig, build_ranker, make_config
from mixfront.models._base import StackKind
from mixfront.models.stack import make_stack
from mixfront.training.quiet_start import LOUD, quiet_factor
from mixfront.training.ranks import Ranks

ROWS = 64
SHAPES: tuple[dict[str, object], ...] = (
    {"num_tokens": 4, "token_dim": 16},
    {"num_tokens": 8, "token_dim": 64},
    {"num_tokens": 4, "token_dim": 32, "num_blocks": 4, "head_hidden": (64, 32)},
)


def many_rows(rows: tuple[Tensor, ...], std: float) -> tuple[Tensor, ...]:
    """More rows like the fixture's, with embeddings of a standard deviation."""
    fields, numeric, events, mask, ages = (
        part.repeat(-(-ROWS // len(part)), *[1] * (part.ndim - 1))[:ROWS] for part in rows
    )
    generator = torch.Generator().manual_seed(5)
    fields, events = (std * torch.randn(x.shape, generator=generator) for x in (fields, events))
    return fields, numeric, events, mask, ages


def std_after_start(ranker: Ranker, rows: tuple[Tensor, ...]) -> float:
    """Standard deviation of the logits after a quiet start."""
    ranker.eval()
    with torch.no_grad():
        logits = ranker(*rows)
        ranks = Ranks(rank=0, world_size=1, device="cpu")
        ranker.start_quietly(quiet_factor(logits, torch.ones(len(logits)), ranks), -1.0)
        return float(ranker(*rows).std())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_every_family_starts_quietly(
    family: str, layout: FeatureLayout, rows: tuple[Tensor, ...], shape: Any, seed: int
) -> None:
    config = make_config(
        family, {"embedding_dim": 8, **OWN_KEYS.get(family, {}), **shape_of(family, shape)}
    )
    torch.manual_seed(seed)
    ranker = build_ranker(family, config, layout)
    rows = many_rows(rows, std=1e-4)
    assert 0 < std_after_start(ranker, rows) <= LOUD
    loss = F.binary_cross_entropy_with_logits(ranker(*rows), torch.arange(ROWS).remainder(2.0))
    torch.autograd.backward(loss)
    still = [
        name for name, p in ranker.head.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert still == []


def shape_of(family: str, shape: dict[str, object]) -> dict[str, object]:
    """A shape without keys that the family fixes."""
    return {k: v for k, v in shape.items() if not (family == "deepfm" and k == "num_blocks")}


class LoudHead(nn.Module):
    """An FM and a linear head, much too loud."""

    def __init__(self, config: RankerConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.token_dim, 1)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """(N, T, D) -> (N,)."""
        products = (x.sum(1).square() - x.square().sum(1)).sum(1)
        first_order: Tensor = self.linear(tokens.mean(1)).squeeze(1)
        return products + 1e3 * first_order


def test_a_head_that_mixfront_does_not_know_starts_quietly(
    layout: FeatureLayout, rows: tuple[Tensor, ...]
) -> None:
    config = RankerConfig(num_tokens=4, token_dim=16, embedding_dim=8)
    stack = make_stack([], StackKind(), 16)
    ranker = Ranker(config, layout, stack, LoudHead(config))
    rows = many_rows(rows, std=1.0)
    assert ranker(*rows).std() > 10
    assert std_after_start(ranker, rows) == pytest.approx(0.03, rel=0.02)
    with torch.no_grad():
        assert float(ranker(*rows).mean()) == pytest.approx(-1.0, abs=0.1)
