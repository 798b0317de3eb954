"""Groups of rows packed into buckets, each computed as one padded, batched product."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

FILL = 0.85  # of a bucket's capacity, at least, in every one of its groups


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Groups of similar size.

    Attributes:
        num_groups: c.
        capacity: P, rows of the largest group; the others are padded to it.
        num_experts: s, experts that compute the group's rows: 2 with the shared one, else 1.
    """

    num_groups: int
    capacity: int
    num_experts: int

    @property
    def num_slots(self) -> int:
        """Rows with padding, cP."""
        return self.num_groups * self.capacity


@dataclass(frozen=True, kw_only=True)
class Packing:
    """Buckets, one after the other. All tensors are on the CPU.

    Attributes:
        buckets: Those of first choices, with the shared expert, then those of later ones.
        groups: Numbers of the groups, bucket after bucket; without those that have no rows.
        starts: First slot of each group, as `sizes`; 0 if it has no rows.
        padding: Slots without a row.
    """

    buckets: tuple[Bucket, ...]
    groups: Tensor
    starts: Tensor
    padding: Tensor

    @property
    def num_slots(self) -> int:
        """S, over all buckets."""
        return sum(bucket.num_slots for bucket in self.buckets)


def pack_groups(sizes: Tensor) -> Packing:
    """Pack groups of `sizes`, (2, groups): those of first choices, and those of later ones."""
    buckets, groups, padding = list[Bucket](), list[Tensor](), list[Tensor]()
    starts, num_slots = torch.zeros_like(sizes), 0
    for kind, of_kind in enumerate(sizes):
        for members, capacity in _similar(of_kind):
            bucket = Bucket(num_groups=len(members), capacity=capacity, num_experts=2 - kind)
            starts[kind, members] = num_slots + capacity * torch.arange(len(members))
            is_padding = torch.arange(capacity) >= of_kind[members].unsqueeze(1)
            padding.append(num_slots + is_padding.flatten().nonzero().squeeze(1))
            groups.append(members)
            buckets.append(bucket)
            num_slots += bucket.num_slots
    return Packing(
        buckets=tuple(buckets),
        groups=torch.cat(groups),
        starts=starts,
        padding=torch.cat(padding),
    )


def _similar(sizes: Tensor) -> Iterator[tuple[Tensor, int]]:
    """Groups of each bucket and its capacity, the largest first; groups without rows in none."""
    ordered, order = sizes.sort(descending=True, stable=True)
    begin = 0
    while begin < len(ordered) and (capacity := int(ordered[begin])):
        end = begin + int((ordered[begin:] >= FILL * capacity).sum())
        yield order[begin:end], capacity
        begin = end
