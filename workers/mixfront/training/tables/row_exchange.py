"""Exchange of table-row gradients: gathered from all ranks, duplicates summed in rank order.

Every rank sums in the same order and gets the same bits, so tables need no other synchronisation.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mixfront.training.ranks import Ranks


@dataclass(frozen=True, kw_only=True)
class RowGradients:
    """Gradients of the global batch per table row, each row once."""

    row_ids: Tensor  # (U,) int64, ascending
    grads: Tensor  # (U, E)
    loss: float  # sum of all ranks' shares of the loss; not finite if one share is not


def exchange(ranks: Ranks, row_ids: Tensor, grads: Tensor, loss: Tensor) -> RowGradients:
    """Sum row gradients, and the loss with them, over all ranks.

    The loss travels with the row counts, which must be exchanged anyway, so all ranks know at
    every step whether it is finite, without another collective.

    Args:
        ranks: The ranks that take part.
        row_ids: (U,) table rows of this rank's batch, ascending and distinct.
        grads: (U, E) their gradients.
        loss: This rank's share of the loss, a 0-dim tensor.
    """
    if ranks.world_size == 1:
        return RowGradients(row_ids=row_ids, grads=grads, loss=float(loss))
    head = torch.stack([loss.double(), loss.new_tensor(len(row_ids), dtype=torch.float64)])
    heads = ranks.all_gather(head).cpu()
    counts = [int(count) for count in heads[:, 1].tolist()]
    padding = max(counts) - len(row_ids)
    all_ids = ranks.all_gather(torch.nn.functional.pad(row_ids, (0, padding)))
    all_grads = ranks.all_gather(torch.nn.functional.pad(grads, (0, 0, 0, padding)))
    merged, sums = _sum_duplicates(
        [ids[:n] for ids, n in zip(all_ids, counts, strict=True)],
        [rows[:n] for rows, n in zip(all_grads, counts, strict=True)],
    )
    return RowGradients(row_ids=merged, grads=sums, loss=float(heads[:, 0].sum()))


def _sum_duplicates(ids: list[Tensor], grads: list[Tensor]) -> tuple[Tensor, Tensor]:
    merged, slots = torch.unique(torch.cat(ids), return_inverse=True)
    sums = grads[0].new_zeros(len(merged), grads[0].shape[1])
    # Add one rank at a time: with no duplicate ids in a call, the order of the sum is fixed.
    for slot, part in zip(slots.split([len(i) for i in ids]), grads, strict=True):
        sums[slot] += part
    return merged, sums
