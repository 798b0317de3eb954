"""The loss of a step, from what a model says of its rows.

sum(weight * (bce + auxiliary_weight * auxiliary bces + penalty)) / global_weight: rows are
summed, so that neither ranks nor micro-batches nor padding rows, whose weight is 0, matter.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a model says of N rows, in fp32; the last two in training, where it has them."""

    logits: Tensor  # (N,)
    auxiliary: Tensor | None = None  # (N, A), logits of auxiliary heads
    penalty: Tensor | None = None  # (N,), weighted already

    @classmethod
    def of(cls, found: Tensor | tuple[Tensor, Tensor, Tensor]) -> "Outputs":
        """From logits alone, or from the three as a `Ranker` gives them."""
        if isinstance(found, Tensor):
            return cls(logits=found.float())
        logits, auxiliary, penalty = (part.float() for part in found)
        return cls(logits=logits, auxiliary=auxiliary, penalty=penalty)


def task_loss(outputs: Outputs, label: Tensor, weight: Tensor) -> Tensor:
    """sum(weight * bce) of the logits, 0-dim."""
    return F.binary_cross_entropy_with_logits(outputs.logits, label, weight, reduction="sum")


def extra_loss(outputs: Outputs, label: Tensor, weight: Tensor, auxiliary_weight: float) -> Tensor:
    """The other parts of the loss, summed over the rows alike, 0-dim."""
    total = torch.zeros_like(outputs.logits[:0]).sum()
    if outputs.auxiliary is not None:
        labels = label.unsqueeze(1).expand_as(outputs.auxiliary)
        losses = F.binary_cross_entropy_with_logits(
            outputs.auxiliary, labels, weight.unsqueeze(1), reduction="sum"
        )
        total = total + auxiliary_weight * losses
    if outputs.penalty is not None:
        total = total + (weight * outputs.penalty).sum()
    return total
