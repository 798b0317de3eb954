"""Evaluation of a split: each rank scores a share of the rows, and all get the metrics."""

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
        score: Returns probabilities (N,) of a batch of this rank.
        split: The rows.
        batch_size: Global batch size, over all ranks.
        ranks: The ranks that share the rows.

    Raises:
        DivergedError: On every rank, if any score is not finite.
    """
    batches = eval_batches(
        split, batch_size=batch_size, rank=ranks.rank, world_size=ranks.world_size
    )
    # Keep only these four columns: the ids of a batch are hundreds of times larger.
    parts = [(score(b).float().cpu(), b.label, b.weight, b.user) for b in batches]
    columns = [torch.cat(column).to(ranks.device) for column in zip(*parts, strict=True)]
    values = ranks.broadcast(_metrics([ranks.gather(column) for column in columns]))
    if math.isinf(values[0]):
        raise DivergedError("a score is not finite during evaluation; lower the learning rate")
    return {
        name: value for name, value in zip(METRICS, values, strict=True) if not math.isnan(value)
    }


def _metrics(gathered: list[list[Tensor]]) -> list[float]:
    """Metrics on rank 0 in the order of METRICS; NaN = undefined, inf = scores not finite."""
    if not gathered[0]:
        return [math.nan] * len(METRICS)
    scores, labels, weights, users = (torch.cat(part).cpu().numpy() for part in gathered)
    real = weights > 0
    if not np.isfinite(scores[real]).all():
        return [math.inf] * len(METRICS)
    metrics = ranking_metrics(scores[real], labels[real], users[real])
    return [metrics.get(name, math.nan) for name in METRICS]
