"""Scores of a whole split over all ranks, and the metrics that every rank then knows."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mixfront.data import Batch, EncodedSplit, eval_batches
from mixfront.exceptions import DivergedError
from mixfront.training.metrics import METRICS, ranking_metrics
from mixfront.training.ranks import Ranks


def evaluate(
    score: Callable[[Batch], Tensor], split: EncodedSplit, *, batch_size: int, ranks: Ranks
) -> dict[str, float]:
    """Metrics of a split, the same on every rank (a collective).

    Args:
        score: Probabilities (N,) of a batch of this rank's.
        split: The rows.
        batch_size: Rows at once, over all ranks.
        ranks: Who shares the rows.

    Raises:
        DivergedError: On every rank, if any score is not finite.
    """
    batches = eval_batches(
        split, batch_size=batch_size, rank=ranks.rank, world_size=ranks.world_size
    )
    # Only these four are kept: a batch's ids are hundreds of times larger.
    parts = [(score(b).float().cpu(), b.label, b.weight, b.user) for b in batches]
    columns = [torch.cat(column).to(ranks.device) for column in zip(*parts, strict=True)]
    values = ranks.broadcast(_metrics([ranks.gather(column) for column in columns]))
    if math.isinf(values[0]):
        raise DivergedError(
            "a score of the validation rows is not finite; lower the learning rate"
        )
    return {
        name: value for name, value in zip(METRICS, values, strict=True) if not math.isnan(value)
    }


def _metrics(gathered: list[list[Tensor]]) -> list[float]:
    """On rank 0 the metrics in the order of METRICS; NaN = not defined, inf = bad scores."""
    if not gathered[0]:
        return [math.nan] * len(METRICS)
    scores, labels, weights, users = (torch.cat(part).cpu().numpy() for part in gathered)
    real = weights > 0
    if not np.isfinite(scores[real]).all():
        return [math.inf] * len(METRICS)
    found = ranking_metrics(scores[real], labels[real], users[real])
    return [found.get(name, math.nan) for name in METRICS]
