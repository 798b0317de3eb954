"""Exact AUC of all rows or per group, with ties counted half."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Labels = NDArray[np.floating | np.integer | np.bool_]


def auc(scores: Floats, labels: Labels) -> float:
    """The probability that a positive scores above a negative, ties counting half; O(N log N).

    Args:
        scores: (N,), higher means more likely positive.
        labels: (N,), 0 or 1.

    Returns:
        NaN if there is only one class.
    """
    _, aucs = auc_by_group(scores, labels, np.zeros(len(scores), np.int64))
    return float(aucs[0]) if len(aucs) else float("nan")


def auc_by_group(
    scores: Floats, labels: Labels, groups: Ints
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sizes and AUCs of the groups that have both classes, in order of group number.

    Args:
        scores: (N,), higher means more likely positive.
        labels: (N,), 0 or 1.
        groups: (N,), any integer per group.
    """
    if not len(scores):
        return np.zeros(0, np.int64), np.zeros(0)
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
    """Start indices of runs; `changes` marks where neighbours differ."""
    return np.concatenate(([0], np.flatnonzero(changes) + 1))


def _mean_ranks(tie_start: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Ranks from 1 of sorted values; ties share their mean rank."""
    ends = np.append(tie_start[1:], count)
    return np.repeat((tie_start + 1 + ends) / 2, ends - tie_start)
