"""Kunlun's layers by their formulas, and what a sequence may and may not do to a model."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models import StackContext, build_ranker, count_cost, make_config
from mixfront.models._base import Events
from mixfront.models.families.kunlun.block import POOLED, KunlunBlock, kunlun_blocks
from mixfront.models.families.kunlun.config import KunlunConfig
from mixfront.models.families.kunlun.sequence_modules import (
    SeedPooling,
    SumKron,
    SummaryAttention,
    WindowAttention,
)

SMALL = {"num_tokens": 4, "token_dim": 8, "num_heads": 2, "sequence_tokens": 2, "seq_len": 6}
EMPTY = 1  # the row of the sequence that has no event


def small(**values: object) -> KunlunConfig:
    return KunlunConfig.model_validate({**SMALL, **values})


@pytest.fixture
def sequence() -> tuple[Tensor, Tensor]:
    """Three histories of width 8, of 6, 0 and 3 events."""
    mask = torch.arange(6) < torch.tensor([6, 0, 3])[:, None]
    seq = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(1))
    return seq * mask.unsqueeze(2), mask


def context_of(x: Tensor, sequence: tuple[Tensor, Tensor]) -> StackContext:
    events = Events(tokens=sequence[0], mask=sequence[1])
    return StackContext(x0=x, events=(events,))


def test_sum_kron_is_a_sum_of_kronecker_products() -> None:
    """Y = sum_i Z_i^T A W_i, row by row vec(Y) = sum_i (Z_i^T kron W_i^T) vec(A)."""
    layer = SumKron(num_in=5, num_out=2, dim=3, rank=4)
    a = torch.randn(1, 5, 3)
    z_transposed = layer.left.view(2, 4, 5)  # (T_s, kr, s_0)
    w = layer.right.view(4, 3, 3)
    whole = sum(
        torch.kron(z_transposed[:, i].contiguous(), w[i].mT.contiguous()) for i in range(4)
    )
    assert isinstance(whole, Tensor)

    torch.testing.assert_close(layer(a).flatten(), whole @ a.flatten(), rtol=1e-4, atol=1e-5)


def test_seed_pooling_by_the_formula(sequence: tuple[Tensor, Tensor]) -> None:
    """A = MHA(LN(E0), S, S) W_O over the events that there are; no event, no A."""
    pooling = SeedPooling(num_seeds=5, num_tokens=2, dim=8, num_heads=2, rank=3)
    seq, mask = sequence
    query = F.layer_norm(pooling.seeds, (8,), eps=1e-6) @ pooling.query.weight.T
    out = pooling(seq, mask)

    for row, count in ((0, 6), (2, 3)):
        events = seq[row, :count]
        key, value = events @ pooling.key.weight.T, events @ pooling.value.weight.T
        heads = []
        for head in (slice(0, 4), slice(4, 8)):
            weights = (query[:, head] @ key[:, head].T / math.sqrt(4)).softmax(-1)
            heads.append(weights @ value[:, head])
        attended = torch.cat(heads, 1) @ pooling.output.weight.T
        torch.testing.assert_close(out[row], pooling.kron(attended[None])[0])
    assert torch.equal(out[EMPTY], torch.zeros(2, 8))


def test_summary_attention_by_the_formula(sequence: tuple[Tensor, Tensor]) -> None:
    """S + concat_j GELU(LN(S)_j (X W_1)_j^T / tau) (X W_2)_j, tau a constant."""
    layer = SummaryAttention(8, num_heads=2, tau=6)
    seq, mask = sequence
    summary = torch.randn(3, 4, 8)
    query = F.layer_norm(seq, (8,), eps=1e-6)
    key, value = summary @ layer.key.weight.T, summary @ layer.value.weight.T
    heads = [
        F.gelu(query[..., h] @ key[..., h].mT / 6) @ value[..., h]
        for h in (slice(0, 4), slice(4, 8))
    ]

    torch.testing.assert_close(layer(seq, mask, None, summary), seq + torch.cat(heads, 2))


def test_window_attention_by_the_formula(sequence: tuple[Tensor, Tensor]) -> None:
    """Event i attends to the events j with |i - j| <= w; LN(S + MHA W_O)."""
    layer = WindowAttention(8, num_heads=2, length=6, window=1, rotary=None)
    seq, mask = sequence
    out = layer(seq, mask, None, torch.zeros(0))

    for i in range(3):  # of the history of 3
        near = seq[2, max(i - 1, 0) : min(i + 2, 3)]
        query = seq[2, i] @ layer.query.weight.T
        key, value = near @ layer.key.weight.T, near @ layer.value.weight.T
        heads = [
            (key[:, h] @ query[h] / math.sqrt(4)).softmax(0) @ value[:, h]
            for h in (slice(0, 4), slice(4, 8))
        ]
        attended = torch.cat(heads) @ layer.output.weight.T
        expected = F.layer_norm(seq[2, i] + attended, (8,), eps=1e-6)
        torch.testing.assert_close(out[2, i], expected, rtol=1e-4, atol=1e-5)


def test_experts_take_every_other_token(sequence: tuple[Tensor, Tensor]) -> None:
    """Expert e mixes tokens e, e + E, ... of [X_sum; H], and gives them back to their places."""
    block = KunlunBlock(small(num_experts=2, num_blocks=1), 0)
    (pooling,) = block.poolings
    x = torch.randn(3, 4, 8)
    context = context_of(x, sequence)
    joined = torch.cat([block.summary(x), pooling(*sequence)], 1)

    out = block(x, context)

    for e, expert in enumerate(block.experts):
        torch.testing.assert_close(out[:, e::2], expert(joined[:, e::2], context))


def test_summary_by_the_formula() -> None:
    """X_sum = C + MLP(LN C), C = W_c X."""
    summary = KunlunBlock(small(), 0).summary
    x = torch.randn(3, 4, 8)
    c = summary.compress.weight @ x
    normed = F.layer_norm(c, (8,), eps=1e-6)
    torch.testing.assert_close(summary(x), c + summary.mlp(normed))


def test_odd_layers_reuse_what_was_pooled(sequence: tuple[Tensor, Tensor]) -> None:
    """CompSkip: layers 0 and 2 pool; the sequence changes in layers 0 and 1, not behind them."""
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
    """A sequence that is updated behind the last pooling would leave weights without one."""
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


def test_only_empty_histories_leave_finite_gradients(sequence: tuple[Tensor, Tensor]) -> None:
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


def test_sequences_apart_are_pooled_and_updated_alone(sequence: tuple[Tensor, Tensor]) -> None:
    """Each has tokens and weights of its own, and none sees another's events."""
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
def test_the_cost_of_sequences_apart_is_what_is_counted(num_sequences: int) -> None:
    """`count_cost` itself holds parameters and FLOPs against the module."""
    config = make_config("kunlun", {"num_sequences": num_sequences, "position": "rote"})
    cost = count_cost("kunlun", config, activations=True)
    assert cost.activations is not None
    assert cost.blocks.params > 0


def test_without_a_sequence_none_is_asked_for(layout: FeatureLayout) -> None:
    config = make_config("kunlun", {"sequence_tokens": 0, "num_tokens": 4, "embedding_dim": 8})
    plain = layout.model_copy(update={"fields": layout.fields[:3]})
    ranker = build_ranker("kunlun", config, plain)
    assert not ranker.uses_events
    assert ranker(torch.randn(2, 2, 8), torch.randn(2, 1)).shape == (2,)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"sequence_tokens": 16}, "sequence_tokens 16 leaves no other tokens of num_tokens 16"),
        ({"num_experts": 3}, "num_experts 3 does not divide num_tokens 16"),
        ({"num_experts": 16}, "num_experts 16 does not divide num_tokens 16 into 2"),
        ({"num_seeds": 3}, "num_seeds 3 is below sequence_tokens 4"),
        ({"num_heads": 3}, "num_heads 3 does not divide token_dim 64"),
        ({"position": "rope", "num_heads": 64}, "a head has 1; set"),
        ({"position": "rote", "num_heads": 64}, "position 'rote' rotates pairs"),
        ({"num_sequences": 3}, "num_sequences 3 does not divide sequence_tokens 4"),
        ({"num_sequences": 2, "num_seeds": 5}, "num_sequences 2 does not divide num_seeds 5"),
        ({"num_sequences": 4, "seq_len": 3}, "seq_len 3 leaves no event for each"),
    ],
)
def test_what_is_refused(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence) as caught:
        make_config("kunlun", values)
    assert "\n" not in str(caught.value)
