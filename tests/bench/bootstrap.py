"""AUC of bootstrap resamples, the same for every model, so that differences are paired."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RESAMPLES = 1000


def resampled_counts(num_rows: int, seed: int = 0, resamples: int = RESAMPLES) -> Floats:
    """How often each resample contains each row: (resamples, num_rows)."""
    rng = np.random.default_rng(seed)
    draws = (rng.integers(0, num_rows, num_rows) for _ in range(resamples))
    return np.stack([np.bincount(rows, minlength=num_rows) for rows in draws]).astype(np.float64)


def resampled_aucs(label: Floats, score: Floats, counts: Floats) -> Floats:
    """AUC of every resample (resamples,), from one sort of the scores; ties count as half."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    repeats, positive = counts[:, order], label[order]
    positives = np.add.reduceat(repeats * positive, starts, axis=1)
    negatives = np.add.reduceat(repeats * (1 - positive), starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives
    won = (positives * (below + negatives / 2)).sum(1)
    aucs: Floats = won / (positives.sum(1) * negatives.sum(1))
    return aucs


def mean_of_seeds(label: Floats, scores: Sequence[Floats], counts: Floats) -> Floats:
    """Mean AUC over models with different seeds, for every resample."""
    mean: Floats = np.mean([resampled_aucs(label, score, counts) for score in scores], axis=0)
    return mean


def interval(differences: Floats) -> tuple[float, float, float]:
    """The 2.5 %, 50 % and 97.5 % quantiles."""
    low, mid, high = np.quantile(differences, [0.025, 0.5, 0.975])
    return float(low), float(mid), float(high)
