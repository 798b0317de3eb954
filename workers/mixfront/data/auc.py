"""AUC of one score, for looking at data; training has its own, exact over ranks."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def auc(scores: Array, labels: Array) -> float:
    """The probability that a positive scores above a negative, ties counting half.

    Args:
        scores: (N,), higher for positive.
        labels: (N,), 0 or 1.

    Returns:
        NaN if there is one class only.
    """
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[place]  # mean rank of equal scores, from 1
    positives = labels == 1
    num_positive = int(positives.sum())
    num_negative = len(labels) - num_positive
    if not num_positive or not num_negative:
        return float("nan")
    above = float(rank[positives].sum()) - num_positive * (num_positive + 1) / 2
    return above / (num_positive * num_negative)
