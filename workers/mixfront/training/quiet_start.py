"""Small logits at the start of training, whatever a family's head and depth.

At initialisation the logits' standard deviation is between 0.001 and 1.6, depending on the family.
Large random logits must be unlearned first, which takes a good part of a single pass.
"""

import torch
from torch import Tensor

from mixfront.training.ranks import Ranks

LOUD, QUIET = 0.05, 0.03  # standard deviations: above the first, logits are scaled to the second


def quiet_factor(logits: Tensor, weight: Tensor, ranks: Ranks) -> float:
    """The factor that makes a fresh model's logits quiet; 1 if they are (a collective).

    It is never 0, below which no gradient would flow, and 1 if a logit is not finite.

    Args:
        logits: (N,) of this rank's rows of the first batch.
        weight: (N,), 0 for padding rows.
        ranks: The ranks that share the batch.
    """
    values, weight = logits.double(), weight.double().to(logits.device)
    moments = torch.stack([weight.sum(), (weight * values).sum(), (weight * values**2).sum()])
    rows, first, second = ranks.all_gather(moments).sum(0).tolist()
    variance = second / rows - (first / rows) ** 2
    return QUIET / variance**0.5 if LOUD**2 < variance < float("inf") else 1.0
