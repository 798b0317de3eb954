"""Rows grouped by selected expert: every row is computed once per choice, little is padded."""

import pytest
import torch

from mixfront.models.families.tokenmixer_large.grouping import FILL, Grouping, group_rows

N, T, E = 50, 3, 6


def random_choices(num_choices: int) -> torch.Tensor:
    """Skewed, so that groups differ in size; expert 4 is selected by no row."""
    logits = torch.randn(T, E - 1, N) + torch.tensor([2.0, 0.0, 1.0, -1.0, -1e9]).view(-1, 1)
    return logits.topk(num_choices, dim=1).indices


@pytest.mark.parametrize("num_choices", [1, 2, 4])
def test_every_choice_has_one_slot_in_a_group_of_its_token_and_expert(num_choices: int) -> None:
    choices = random_choices(num_choices)
    grouping = group_rows(choices, E)
    assert len(set(grouping.slots.flatten().tolist())) == N * T * num_choices
    tokens, experts, shared = _of_slots(grouping)
    for n in range(N):
        for t in range(T):
            slots = grouping.slots[n, t]
            assert (grouping.rows[slots] == n * T + t).all()
            assert (tokens[slots] == t).all()
            assert experts[slots].tolist() == choices[t, :, n].tolist()
            assert shared[slots].tolist() == [True] + [False] * (num_choices - 1)


def _of_slots(grouping: Grouping) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token, routed expert, and whether the shared expert is computed, of every slot."""
    columns = []
    for bucket in grouping.buckets:
        shared = bucket.experts[:, -1:] == E - 1
        groups = torch.cat([bucket.tokens, bucket.experts[:, :1], shared], dim=1)
        columns.append(groups.repeat_interleave(bucket.capacity, dim=0))
    tokens, experts, shared = torch.cat(columns).unbind(1)
    return tokens, experts, shared.bool()


def test_groups_of_a_bucket_are_filled() -> None:
    grouping = group_rows(random_choices(1), E)
    filled = torch.zeros(len(grouping.rows)).index_fill(0, grouping.slots.flatten(), 1.0)
    for part in grouping.split(filled.unsqueeze(1)):
        assert part.mean((1, 2)).min() >= FILL - 1e-6
    assert 0 < grouping.padded_share < 1 - FILL
    assert grouping.padded_share == pytest.approx(1 - float(filled.mean()))


def test_equal_groups_need_no_padding() -> None:
    choices = (torch.arange(50) % (E - 1)).expand(T, 1, 50)
    grouping = group_rows(choices, E)
    assert grouping.padded_share == 0
    assert [bucket.capacity for bucket in grouping.buckets] == [10]


def test_padding_weighs_nothing() -> None:
    shares = torch.rand(T, 2, N) + 1
    grouping = group_rows(random_choices(2), E)
    weights = grouping.expert_weights(shares)
    total = sum(float(weight.sum()) for weight in weights)
    assert total == pytest.approx(float(shares.sum()) + N * T, rel=1e-5)
