"""Rows grouped by selected expert: every row is computed once per choice, little is padded."""

import pytest
import torch

from mixfront.models.families.tokenmixer_large.grouping import Grouping, group_rows
from mixfront.models.families.tokenmixer_large.packing import FILL

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
    for bucket, groups in zip(grouping.buckets, grouping.groups, strict=True):
        shared = torch.full_like(groups, bucket.num_experts == 2)
        parts = torch.stack([groups // (E - 1), groups % (E - 1), shared], dim=1)
        columns.append(parts.repeat_interleave(bucket.capacity, dim=0))
    tokens, experts, shared = torch.cat(columns).unbind(1)
    return tokens, experts, shared.bool()


def test_groups_of_a_bucket_are_filled() -> None:
    grouping = group_rows(random_choices(1), E)
    filled = torch.zeros(len(grouping.rows)).index_fill(0, grouping.slots.flatten(), 1.0)
    for part in grouping.split_slots(filled.unsqueeze(1)):
        assert part.mean((1, 2)).min() >= FILL - 1e-6
    assert 0 < grouping.padded_share < 1 - FILL
    assert grouping.padded_share == pytest.approx(1 - float(filled.mean()))


def test_equal_groups_need_no_padding() -> None:
    choices = (torch.arange(50) % (E - 1)).expand(T, 1, 50)
    grouping = group_rows(choices, E)
    assert grouping.padded_share == 0
    assert [bucket.capacity for bucket in grouping.buckets] == [10]


def test_padding_is_where_no_row_is() -> None:
    grouping = group_rows(random_choices(2), E)
    empty = torch.ones(len(grouping.rows)).index_fill(0, grouping.slots.flatten(), 0.0)
    assert grouping.padding.tolist() == empty.nonzero().squeeze(1).tolist()


def test_weights_of_groups_and_back() -> None:
    """Groups without rows have no gradient; later choices have only the routed expert's."""
    grouping = group_rows(random_choices(2), E)
    weight = torch.arange(T * (E - 1) * 2 * 2 * 3.0).view(T * (E - 1), 2, 2, 3, 1)
    picked = grouping.pick(weight)
    assert [w.shape[1] for w in picked] == [6 * b.num_experts for b in grouping.buckets]
    counts = grouping.put_back([torch.ones_like(w) for w in picked], weight.shape)
    first, later = _groups(grouping, 2), _groups(grouping, 1)
    for group in range(T * (E - 1)):
        assert (counts[group, :, 1] == (group in first)).all()
        assert (counts[group, :, 0] == (group in first) + (group in later)).all()
    assert torch.equal(picked[0][0], weight[grouping.groups[0][0]].flatten(0, 2))


def _groups(grouping: Grouping, num_experts: int) -> list[int]:
    pairs = zip(grouping.buckets, grouping.groups, strict=True)
    return [int(g) for bucket, of in pairs if bucket.num_experts == num_experts for g in of]
