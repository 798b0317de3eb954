"""AUC, UAUC, GAUC and log loss: exact, with ties counted as half.

UAUC is the plain mean of AUC over users that have both classes, GAUC the mean weighted by
their impressions (the two readings of "user-level AUC" in RankMixer, UniMixer, DIN).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

METRICS = ("auc", "uauc", "gauc", "logloss")


def ranking_metrics(scores: Floats, labels: Floats, users: Ints) -> dict[str, float]:
    """All metrics of N impressions, O(N log N).

    An undefined metric (AUC of a single class) is left out.

    Args:
        scores: (N,) probabilities.
        labels: (N,) 0 or 1.
        users: (N,) user ids, any integers.
    """
    if not len(scores):
        return {}
    everyone = np.zeros(len(scores), dtype=np.int64)
    metrics = {"logloss": log_loss(scores, labels)}
    _, areas = auc_by_group(scores, labels, everyone)
    if len(areas):
        metrics["auc"] = float(areas[0])
    impressions, areas = auc_by_group(scores, labels, users)
    if len(areas):
        metrics["uauc"] = float(areas.mean())
        metrics["gauc"] = float(np.average(areas, weights=impressions))
    return metrics


def uauc(scores: Floats, labels: Floats, users: Ints) -> float:
    """Plain mean of AUC over users with both classes; NaN if there are none."""
    _, areas = auc_by_group(scores, labels, users)
    return float(areas.mean()) if len(areas) else float("nan")


def log_loss(scores: Floats, labels: Floats) -> float:
    """Mean negative log-likelihood of probabilities (N,), clipped at 1e-7, in float64."""
    p = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(labels > 0.5, np.log(p), np.log1p(-p))))


def auc_by_group(
    scores: Floats, labels: Floats, groups: Ints
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sizes and AUCs of the groups that have both classes, in ascending order of group id."""
    order = np.lexsort((scores, groups))
    scores, groups = scores[order], groups[order]
    positive = labels[order] > 0.5
    group_start = _starts(groups[1:] != groups[:-1])
    tie_start = _starts((groups[1:] != groups[:-1]) | (scores[1:] != scores[:-1]))
    sizes = np.diff(group_start, append=len(scores))
    ranks = _mean_ranks(tie_start, len(scores)) - np.repeat(group_start, sizes)
    positives = np.add.reduceat(positive.astype(np.int64), group_start)
    rank_sums = np.add.reduceat(np.where(positive, ranks, 0.0), group_start)
    both = (positives > 0) & (positives < sizes)
    p, n = positives[both], (sizes - positives)[both]
    return sizes[both], (rank_sums[both] - p * (p + 1) / 2) / (p * n)


def _starts(changes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Start indices of runs, given where neighbours differ."""
    return np.concatenate(([0], np.flatnonzero(changes) + 1))


def _mean_ranks(tie_start: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """1-based ranks of sorted values; ties get their mean rank."""
    ends = np.append(tie_start[1:], count)
    return np.repeat((tie_start + 1 + ends) / 2, ends - tie_start)
