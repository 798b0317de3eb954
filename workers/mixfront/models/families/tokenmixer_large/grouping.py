"""Rows of a batch grouped by the experts that they selected, padded for batched products."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

FILL = 0.85  # of a bucket's capacity, at least, in every one of its groups


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Groups of similar size, computed as one batched product.

    Attributes:
        num_groups: c.
        capacity: P, rows of the largest group; the others are padded to it.
        tokens: Token of each group, (c, 1).
        experts: Experts that compute the group's rows, (c, s); the shared one is E - 1.
    """

    num_groups: int
    capacity: int
    tokens: Tensor
    experts: Tensor

    @property
    def num_slots(self) -> int:
        """Rows with padding, cP."""
        return self.num_groups * self.capacity

    def pick(self, weight: Tensor) -> Tensor:
        """Weights of each group's experts side by side, (T, E, ..., in) -> (c, s ..., in)."""
        return weight[self.tokens, self.experts].flatten(1, -2)[: self.num_groups]


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """Where every row is computed by the experts that it selected. No row is dropped.

    A group has the rows of one token that selected one expert. The shared expert joins the first
    choice of every row: one product of twice the width is faster than two.

    Attributes:
        buckets: All groups that have rows.
        slots: Slot of each row's choices, (N, T, K), counted over all buckets.
        rows: Row n T + t in each slot, and 0 in padding, (S,).
    """

    buckets: tuple[Bucket, ...]
    slots: Tensor
    rows: Tensor

    @property
    def padded_share(self) -> float:
        """Share of padding among the executed products of a row and an expert."""
        num_rows, tokens, choices = self.slots.shape
        executed = sum(bucket.num_slots * bucket.experts.shape[1] for bucket in self.buckets)
        return 1 - num_rows * tokens * (choices + 1) / executed

    def split(self, rows: Tensor) -> list[Tensor]:
        """(S, D) -> views (c, P, D) of every bucket."""
        parts = torch.split(rows, [bucket.num_slots for bucket in self.buckets])
        return [
            part.view(bucket.num_groups, bucket.capacity, -1)
            for part, bucket in zip(parts, self.buckets, strict=True)
        ]

    def expert_weights(self, shares: Tensor) -> list[Tensor]:
        """(T, K, N) -> (c, s, 1, P): the share, or 1 for the shared expert, and 0 in padding."""
        flat = shares.permute(2, 0, 1).flatten()
        pairs = torch.stack([flat, torch.ones_like(flat)])
        index = self.slots.flatten().expand_as(pairs)
        padded = pairs.new_zeros(2, len(self.rows)).scatter(1, index, pairs)
        parts = torch.split(padded, [bucket.num_slots for bucket in self.buckets], dim=1)
        return [
            part[: bucket.experts.shape[1]]
            .view(-1, bucket.num_groups, 1, bucket.capacity)
            .transpose(0, 1)
            for part, bucket in zip(parts, self.buckets, strict=True)
        ]


def group_rows(choices: Tensor, num_experts: int) -> Grouping:
    """Group rows by token and selected expert, first choices apart from later ones.

    The sizes of the groups are read from the device, once.

    Args:
        choices: Routed experts selected by each row, best first, (T, K, N).
        num_experts: E, with the shared expert, which is not among the choices.
    """
    tokens, num_choices, num_rows = choices.shape
    first = torch.arange(num_choices, device=choices.device).clamp(max=1).view(1, -1, 1) * tokens
    first = first + torch.arange(tokens, device=choices.device).view(-1, 1, 1)
    groups, pairs = (choices + first * (num_experts - 1)).flatten().sort(stable=True)
    num_groups = min(num_choices, 2) * tokens * (num_experts - 1)
    starts = torch.searchsorted(groups, torch.arange(num_groups + 1, device=choices.device))
    buckets, offsets = list[Bucket](), torch.zeros(num_groups, dtype=torch.long)
    num_slots = 0
    for members, bucket in _buckets(choices, starts.diff(), num_experts):
        offsets[members] = num_slots + bucket.capacity * torch.arange(len(members))
        buckets.append(bucket)
        num_slots += bucket.num_slots
    shift = offsets.to(choices.device) - starts[:-1]
    places = torch.arange(len(pairs), device=choices.device) + shift[groups]
    rows = pairs % num_rows * tokens + pairs // (num_choices * num_rows)
    slots = torch.empty_like(pairs).scatter_(0, pairs, places)
    return Grouping(
        buckets=tuple(buckets),
        slots=slots.view_as(choices).permute(2, 0, 1).contiguous(),
        rows=pairs.new_zeros(num_slots).scatter_(0, places, rows),
    )


def _buckets(choices: Tensor, sizes: Tensor, num_experts: int) -> Iterator[tuple[Tensor, Bucket]]:
    """Each bucket with the numbers of its groups."""
    tokens, num_choices, num_rows = choices.shape
    num_routed, device = num_experts - 1, choices.device
    sizes = torch.ones(sizes.shape, dtype=torch.long) if choices.is_meta else sizes.cpu()
    for kind, of_kind in enumerate(sizes.view(-1, tokens * num_routed)):
        for members, capacity in _pack(of_kind):
            experts = (members % num_routed).unsqueeze(1)
            experts = experts if kind else F.pad(experts, (0, 1), value=num_routed)
            count = len(members)
            if choices.is_meta:  # has no sizes: one group has all rows, which needs no padding
                count, capacity = 1, tokens * num_rows * (num_choices - 1 if kind else 1)
            yield (
                members + kind * len(of_kind),
                Bucket(
                    num_groups=count,
                    capacity=capacity,
                    tokens=(members // num_routed).unsqueeze(1).to(device),
                    experts=experts.to(device),
                ),
            )


def _pack(sizes: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Groups of each bucket and its capacity, the largest first; groups without rows in none."""
    ordered, order = sizes.sort(descending=True, stable=True)
    begin = 0
    while begin < len(ordered) and (capacity := int(ordered[begin])):
        end = begin + int((ordered[begin:] >= FILL * capacity).sum())
        yield order[begin:end], capacity
        begin = end
