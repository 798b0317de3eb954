"""The loss of a step from a model's outputs.

sum(weight * (bce + auxiliary_weight * sum of auxiliary bces + penalty)) / global_weight. Rows are
summed and padding rows have weight 0, so the loss does not depend on the number of ranks, of
micro-batches or of padding rows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """A model's outputs for N rows in fp32; the last two only in training, if it has them."""

    logits: Tensor  # (N,)
    auxiliary: Tensor | None = None  # (N, A), logits of auxiliary heads
    penalty: Tensor | None = None  # (N,), already multiplied by its factor

    @classmethod
    def of(cls, outputs: Tensor | tuple[Tensor, Tensor, Tensor]) -> "Outputs":
        """From logits, or from the three tensors that a `Ranker` returns in training."""
        if isinstance(outputs, Tensor):
            return cls(logits=outputs.float())
        logits, auxiliary, penalty = (tensor.float() for tensor in outputs)
        return cls(logits=logits, auxiliary=auxiliary, penalty=penalty)


def task_loss(outputs: Outputs, label: Tensor, weight: Tensor) -> Tensor:
    """sum(weight * bce) of the logits, a 0-dim tensor."""
    return F.binary_cross_entropy_with_logits(outputs.logits, label, weight, reduction="sum")


def extra_loss(outputs: Outputs, label: Tensor, weight: Tensor, auxiliary_weight: float) -> Tensor:
    """Auxiliary losses and penalty, also summed over rows, a 0-dim tensor."""
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
