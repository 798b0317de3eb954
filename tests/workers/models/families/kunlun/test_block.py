"""Kunlun's layers against their formulas, and how a sequence affects them."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.models import StackContext, build_ranker, count_cost, make_config
from mixfront.models._base import Events
from mixfront.models.families.kunlun.block import POOLED, KunlunBlock, kunlun_blocks
from mixfront.models.families.kunlun.config import KunlunConfig

SMALL = {"num_tokens": 4, "token_dim": 8, "num_heads": 2, "sequence_tokens": 2, "seq_len": 6}
EMPTY = 1  # the row without events


def small(**values: object) -> KunlunConfig:
    return KunlunConfig.model_validate({**SMALL, **values})


@pytest.fixture
def sequence() -> tuple[Tensor, Tensor]:
    """Three histories of width 8, with 6, 0 and 3 events."""
    mask = torch.arange(6) < torch.tensor([6, 0, 3])[:, None]
    seq = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(1))
    return seq * mask.unsqueeze(2), mask


def context_of(x: Tensor, sequence: tuple[Tensor, Tensor]) -> StackContext:
    events = Events(tokens=sequence[0], mask=sequence[1])
    return StackContext(x0=x, events=(events,))


def test_experts_take_every_other_token(sequence: tuple[Tensor, Tensor]) -> None:
    """Expert e mixes tokens e, e + E, ... of [X_sum; H]; the output keeps their order."""
    block = KunlunBlock(small(num_experts=2, num_blocks=1), 0)
    (pooling,) = block.poolings
    x = torch.randn(3, 4, 8)
    context = context_of(x, sequence)
    joined = torch.cat([block.summary(x), pooling(*sequence)], 1)

    out = block(x, context)

    for e, expert in enumerate(block.experts):
        torch.testing.assert_close(out[:, e::2], expert(joined[:, e::2], context))


def test_summary_matches_the_formula() -> None:
    """X_sum = C + MLP(LN C), C = W_c X."""
    summary = KunlunBlock(small(), 0).summary
    x = torch.randn(3, 4, 8)
    c = summary.compress.weight @ x
    normed = F.layer_norm(c, (8,), eps=1e-6)
    torch.testing.assert_close(summary(x), c + summary.mlp(normed))


def test_odd_layers_reuse_the_pooled_tokens(sequence: tuple[Tensor, Tensor]) -> None:
    """CompSkip: layers 0 and 2 pool; the sequence changes in layers 0 and 1, not later."""
    x = torch.randn(3, 4, 8)
    context = context_of(x, sequence)
    pooled, seqs = [], [context.events]
    for block in kunlun_blocks(small(num_blocks=4)):
        x = block(x, context)
        pooled.append(context.cache[POOLED])
        seqs.append(context.events)

    assert pooled[0] is pooled[1]
    assert pooled[2] is pooled[3]
    assert not torch.equal(pooled[0], pooled[2])
    assert [seqs[i] is seqs[i + 1] for i in range(4)] == [False, False, True, True]


@pytest.mark.parametrize("num_blocks", [1, 2, 3, 4])
def test_every_parameter_gets_a_gradient(num_blocks: int, sequence: tuple[Tensor, Tensor]) -> None:
    """The weights of an update after the last pooling would get no gradient."""
    torch.manual_seed(0)
    x = torch.randn(3, 4, 8)
    context = context_of(x, sequence)
    out, blocks = x, kunlun_blocks(small(num_blocks=num_blocks))
    for block in blocks:
        out = block(out, context)
    torch.autograd.backward((out * torch.randn(out.shape)).sum())

    for block in blocks:
        for name, parameter in block.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() > 0, name


def test_a_batch_of_empty_histories_has_finite_gradients(sequence: tuple[Tensor, Tensor]) -> None:
    seq, mask = sequence[0].requires_grad_(), torch.zeros_like(sequence[1])
    x = torch.randn(3, 4, 8)
    context = context_of(x, (seq * mask.unsqueeze(2), mask))
    out, blocks = x, kunlun_blocks(small(num_blocks=3))
    for block in blocks:
        out = block(out, context)
        assert torch.equal(context.cache[POOLED], torch.zeros(3, 2, 8))
    torch.autograd.backward(out.square().sum())

    assert seq.grad is not None
    assert torch.equal(seq.grad, torch.zeros_like(seq))
    for block in blocks:
        assert all(p.grad is None or p.grad.isfinite().all() for p in block.parameters())


def test_separate_sequences_are_pooled_and_updated_separately(
    sequence: tuple[Tensor, Tensor],
) -> None:
    """Each has its own tokens and weights, and none sees another's events."""
    torch.manual_seed(0)
    blocks = kunlun_blocks(small(num_blocks=3, num_sequences=2, seq_len=12))
    x = torch.randn(3, 4, 8)

    def run(second: Tensor) -> StackContext:
        events = (
            Events(tokens=sequence[0], mask=sequence[1]),
            Events(tokens=second, mask=torch.ones(3, 6, dtype=torch.bool)),
        )
        context, out = StackContext(x0=x, events=events), x
        for block in blocks[:2]:
            out = block(out, context)
        return context

    one, other = run(torch.randn(3, 6, 8)), run(torch.randn(3, 6, 8))

    pooled, changed = one.cache[POOLED], other.cache[POOLED]
    assert pooled.shape == (3, 2, 8)
    assert torch.equal(pooled[:, 0], changed[:, 0])
    assert not torch.isclose(pooled[:, 1], changed[:, 1]).any()
    assert torch.equal(pooled[EMPTY, 0], torch.zeros(8))
    assert torch.equal(pooled[:, :1], blocks[0].get_submodule("poolings.0")(*sequence))
    assert len(one.events) == 2
    assert all(not torch.equal(e.tokens, sequence[0]) for e in one.events)


@pytest.mark.parametrize("num_sequences", [1, 2, 4])
def test_the_cost_of_separate_sequences_matches_torchs_counts(num_sequences: int) -> None:
    """`count_cost` itself compares parameters and FLOPs with the module."""
    config = make_config("kunlun", {"num_sequences": num_sequences, "position": "rote"})
    cost = count_cost("kunlun", config, activations=True)
    assert cost.activations is not None
    assert cost.blocks.params > 0


def test_without_sequence_tokens_no_events_are_needed(layout: FeatureLayout) -> None:
    config = make_config("kunlun", {"sequence_tokens": 0, "num_tokens": 4, "embedding_dim": 8})
    plain = layout.model_copy(update={"fields": layout.fields[:3]})
    ranker = build_ranker("kunlun", config, plain)
    assert not ranker.uses_events
    assert ranker(torch.randn(2, 2, 8), torch.randn(2, 1)).shape == (2,)
