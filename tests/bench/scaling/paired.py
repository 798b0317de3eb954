"""Uncertainty of AUCs on the same rows: by evaluation rows and by seed.

By rows: the covariance of the AUCs of several models (DeLong et al., Biometrics 1988), in closed
form; 1,000 resamples of 500,000 rows would need 4 GB. By seed: the variance between seeds, pooled
over all models, because two seeds say little about a single one.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def placements(label: Floats, score: npt.NDArray[np.floating]) -> Floats:
    """Share of the rows of the other class that each row is ordered correctly with: (N,).

    Its mean over the positives is the AUC, and so is its mean over the negatives.
    """
    positive = label > 0.5
    ranks = np.unique(score, return_inverse=True)[1]
    positives = np.bincount(ranks, weights=positive)
    negatives = np.bincount(ranks, weights=~positive)
    below = (np.cumsum(negatives) - negatives / 2) / negatives.sum()
    above = 1 - (np.cumsum(positives) - positives / 2) / positives.sum()
    shares: Floats = np.where(positive, below[ranks], above[ranks])
    return shares


def row_covariance(label: Floats, of_models: Sequence[Floats]) -> Floats:
    """Covariance of the AUCs of M models over samples of the rows: (M, M)."""
    positive = label > 0.5
    stacked = np.stack(of_models)
    total = np.zeros((len(of_models), len(of_models)))
    for members in (positive, ~positive):
        part = stacked[:, members]
        total += np.atleast_2d(np.cov(part)) / members.sum()
    return total


def seed_variance(aucs: Mapping[str, Sequence[float]]) -> float:
    """Variance of the AUC between seeds, pooled over models that have several; else 0."""
    several = [values for values in aucs.values() if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    squares = sum(float(np.var(values)) * len(values) for values in several)
    return squares / freedom if freedom else 0.0
