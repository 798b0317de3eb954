"""AUC, UAUC, GAUC and log loss: exact, with ties counted as half.

UAUC is the plain mean of AUC over users that have both classes, GAUC the mean weighted by
their impressions (the two readings of "user-level AUC" in RankMixer, UniMixer, DIN).
"""

import math

import numpy as np

from mixfront.data.auc import Floats, Ints, auc, auc_by_group

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
    metrics = {"logloss": log_loss(scores, labels)}
    overall = auc(scores, labels)
    if not math.isnan(overall):
        metrics["auc"] = overall
    impressions, aucs = auc_by_group(scores, labels, users)
    if len(aucs):
        metrics["uauc"] = float(aucs.mean())
        metrics["gauc"] = float(np.average(aucs, weights=impressions))
    return metrics


def uauc(scores: Floats, labels: Floats, users: Ints) -> float:
    """Plain mean of AUC over users with both classes; NaN if there are none."""
    _, aucs = auc_by_group(scores, labels, users)
    return float(aucs.mean()) if len(aucs) else float("nan")


def log_loss(scores: Floats, labels: Floats) -> float:
    """Mean negative log-likelihood of probabilities (N,), clipped at 1e-7, in float64."""
    p = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(labels > 0.5, np.log(p), np.log1p(-p))))
