"""AUC, UAUC, GAUC and log loss: exact, with ties counted half.

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

    A metric that is not defined (AUC without both classes) is left out.

    Args:
        scores: (N,) probabilities.
        labels: (N,) 0 or 1.
        users: (N,) any integer per user.
    """
    if not len(scores):
        return {}
    everyone = np.zeros(len(scores), dtype=np.int64)
    found = {"logloss": log_loss(scores, labels)}
    _, areas = auc_by_group(scores, labels, everyone)
    if len(areas):
        found["auc"] = float(areas[0])
    impressions, areas = auc_by_group(scores, labels, users)
    if len(areas):
        found["uauc"] = float(areas.mean())
        found["gauc"] = float(np.average(areas, weights=impressions))
    return found


def uauc(scores: Floats, labels: Floats, users: Ints) -> float:
    """Plain mean of AUC over users with both classes; NaN if there is none."""
    _, areas = auc_by_group(scores, labels, users)
    return float(areas.mean()) if len(areas) else float("nan")


def log_loss(scores: Floats, labels: Floats) -> float:
    """Mean negative log likelihood of probabilities (N,) in float64, clipped at 1e-7."""
    p = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(labels > 0.5, np.log(p), np.log1p(-p))))


def auc_by_group(
    scores: Floats, labels: Floats, groups: Ints
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sizes and AUCs of those groups that have both classes, in the order of their numbers."""
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
    """Where runs begin, given where neighbours differ."""
    return np.concatenate(([0], np.flatnonzero(changes) + 1))


def _mean_ranks(tie_start: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Ranks from 1 of sorted values; ties share the mean of theirs."""
    ends = np.append(tie_start[1:], count)
    return np.repeat((tie_start + 1 + ends) / 2, ends - tie_start)
