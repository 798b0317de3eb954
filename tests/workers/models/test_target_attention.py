"""Target attention against its formula."""

import math

import pytest
import torch
from torch import Tensor

from mixfront.data.batch import FeatureLayout
from mixfront.models import RankerConfig, count_cost, make_config
from mixfront.models.target_attention import TargetAttention, TargetPooling
from mixfront.models.tokenizer import Tokenizer, field_order

CONFIG = RankerConfig(embedding_dim=8, num_tokens=4, token_dim=16, sequence_pool="target")


def test_attention_matches_the_formula() -> None:
    """sum_s softmax_s(q W_Q . k_s W_K / sqrt(E)) k_s W_V over the events."""
    torch.manual_seed(0)
    attention = TargetAttention(4)
    torch.nn.init.normal_(attention.value)
    candidate, events = torch.randn(3, 4), torch.randn(3, 5, 4)
    counts = [5, 0, 2]
    mask = torch.arange(5) < torch.tensor(counts)[:, None]
    out = attention(candidate, events, mask)

    for row, count in enumerate(counts):
        query, history = candidate[row] @ attention.query, events[row, :count]
        weights = ((history @ attention.key) @ query / math.sqrt(4)).softmax(0)
        expected = (weights[:, None] * (history @ attention.value)).sum(0)
        torch.testing.assert_close(out[row], expected)
    assert torch.equal(out[1], torch.zeros(4))


def test_attention_starts_close_to_the_mean() -> None:
    """At the scale of new embeddings, the candidate hardly matters."""
    attention = TargetAttention(4)
    candidate, events = 0.01 * torch.randn(2, 4), 0.01 * torch.randn(2, 5, 4)
    out = attention(candidate, events, torch.ones(2, 5, dtype=torch.bool))
    torch.testing.assert_close(out, events.mean(1), rtol=0, atol=1e-5)


def test_gradients_of_an_empty_history_are_finite() -> None:
    attention = TargetAttention(4)
    events = torch.randn(2, 5, 4, requires_grad=True)
    out = attention(torch.randn(2, 4), events, torch.zeros(2, 5, dtype=torch.bool))
    torch.autograd.backward(out.sum())
    assert events.grad is not None
    assert torch.equal(events.grad, torch.zeros_like(events))
    assert all(p.grad is not None and p.grad.isfinite().all() for p in attention.parameters())


def test_the_target_is_the_candidate(layout: FeatureLayout, rows: tuple[Tensor, ...]) -> None:
    """`history` shares the table of `item_id`, the second field."""
    pooling = TargetPooling(CONFIG, layout)
    fields, _, events, mask = rows[:4]
    expected = pooling.attentions[0](fields[:, 1], events, mask)
    torch.testing.assert_close(pooling(fields, events, mask), expected[:, None])


def test_attention_replaces_the_mean(layout: FeatureLayout, rows: tuple[Tensor, ...]) -> None:
    # concatenation: user_id 0, item_id 1, mean of history 2, age 3, price 4, attended history 5
    assert field_order(layout, target_pooled=True) == [0, 3, 1, 4, 5]
    tokenizer = Tokenizer(CONFIG, layout)
    fields, *rest = rows[:4]
    without_mean = fields.clone()
    without_mean[:, 2] = torch.nan
    torch.testing.assert_close(tokenizer(without_mean, *rest), tokenizer(*rows[:4]))


@pytest.mark.parametrize("family", ["rankmixer", "kunlun"])
def test_closed_form(family: str, layout: FeatureLayout) -> None:
    """3E^2 parameters; 6E^2 + 4SE FLOPs, S = 5 positions."""
    mean, target = (
        count_cost(family, make_config(family, {"sequence_pool": pool}), layout=layout)
        for pool in ("mean", "target")
    )
    assert target.dense_params - mean.dense_params == 3 * 16**2
    assert target.flops_per_sample - mean.flops_per_sample == 6 * 16**2 + 4 * 5 * 16


@pytest.mark.parametrize("num_tokens", [1, 8])
def test_without_data_a_sequence_of_50_events_is_assumed(num_tokens: int) -> None:
    values = {"num_tokens": num_tokens, "sequence_pool": "target"}
    cost = count_cost("rankmixer", make_config("rankmixer", values), chunk_dim=4)
    width = max(4 * num_tokens, 8) // num_tokens  # at least two fields
    assert cost.tokenizer.per_sample == 2 * num_tokens * width * 64 + 6 * 4**2 + 4 * 50 * 4
