"""The expected AUC of rows whose true probabilities are known."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def expected_auc(logits: Floats) -> float:
    """AUC that the true logits (N,) have on average over the labels; no model has more.

    The chance that a random pair of a positive and a negative is in the right order:
    sum_ij p_i (1 - p_j) [z_i > z_j] / sum_{i != j} p_i (1 - p_j), equal logits counting half.
    """
    ascending = np.sort(logits)
    p = 1 / (1 + np.exp(-ascending))
    starts = np.flatnonzero(np.diff(ascending, prepend=-np.inf))
    positive, negative = np.add.reduceat(p, starts), np.add.reduceat(1 - p, starts)
    both = np.add.reduceat(p * (1 - p), starts)  # a row is not compared with itself
    below = np.cumsum(negative) - negative
    correct = (positive * below).sum() + ((positive * negative - both) / 2).sum()
    return float(correct / (p.sum() * (1 - p).sum() - both.sum()))
