"""The logits of every family are small at the start, also of a family that mixfront lacks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.workers.models.conformance.conftest import OWN_KEYS
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.models import FAMILIES, Ranker, RankerConfig, build_ranker, make_config
from mixfront.models._base import Block, BlockCost, Family, HeadKind, StackContext, repeated
from mixfront.training.quiet_start import LOUD, QUIET, quiet_factor
from mixfront.training.ranks import Ranks

MakeRanker = Callable[..., Ranker]
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


def stds(ranker: Ranker, rows: tuple[Tensor, ...]) -> tuple[float, float]:
    """Standard deviations of the logits before and after a quiet start."""
    ranker.eval()
    with torch.no_grad():
        logits = ranker(*rows)
        ranks = Ranks(rank=0, world_size=1, device="cpu")
        ranker.start_quietly(quiet_factor(logits, torch.ones(len(logits)), ranks), -1.0)
        return float(logits.std(correction=0)), float(ranker(*rows).std(correction=0))


def check_quiet(before: float, after: float) -> None:
    """Loud logits become quiet, and others stay as they are."""
    assert 0 < after <= LOUD
    assert after == pytest.approx(QUIET if before > LOUD else before, rel=1e-2)


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
    check_quiet(*stds(ranker, rows))
    loss = F.binary_cross_entropy_with_logits(ranker(*rows), torch.arange(ROWS).remainder(2.0))
    torch.autograd.backward(loss)
    still = [
        name for name, p in ranker.head.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert still == []


@pytest.mark.parametrize("std", [0.01, 1.0])
def test_every_family_with_loud_embeddings_starts_quietly(
    family: str, make_ranker: MakeRanker, rows: tuple[Tensor, ...], std: float
) -> None:
    """Tables with `embedding_optimizer.init_std` above the default."""
    before, after = stds(make_ranker(), many_rows(rows, std))
    check_quiet(before, after)
    assert std < 1 or before > LOUD, family  # else the case checks nothing


def shape_of(family: str, shape: dict[str, object]) -> dict[str, object]:
    """A shape without keys that the family fixes."""
    return {k: v for k, v in shape.items() if not (family == "deepfm" and k == "num_blocks")}


class Shout(Block):
    """A block that mixfront lacks: multiplies its input by a hundred."""

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        return 100 * x


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


LOUD_HEAD = HeadKind[RankerConfig](make=LoudHead, flops=lambda config: 2 * config.token_dim)


@pytest.mark.parametrize("head", [None, LOUD_HEAD])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_family_that_mixfront_lacks_starts_quietly(
    monkeypatch: pytest.MonkeyPatch,
    layout: FeatureLayout,
    rows: tuple[Tensor, ...],
    head: HeadKind[RankerConfig] | None,
    shape: Any,
    seed: int,
) -> None:
    plug_in = Family(
        name="shout",
        summary="a plug-in",
        config=RankerConfig,
        blocks=repeated(lambda _: Shout()),
        cost=lambda _: BlockCost(params=0, flops_per_sample=0),
        head=head,
    )
    monkeypatch.setitem(FAMILIES, "shout", plug_in)
    torch.manual_seed(seed)
    ranker = build_ranker("shout", make_config("shout", {**shape, "embedding_dim": 8}), layout)
    rows = many_rows(rows, std=1e-4)
    before, after = stds(ranker, rows)
    assert before > 1
    check_quiet(before, after)
    with torch.no_grad():
        assert float(ranker(*rows).mean()) == pytest.approx(-1.0, abs=0.2)
