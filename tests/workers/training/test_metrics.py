"""Metrics compared with scikit-learn's, with ties and single-class users."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score

from mixfront.training.metrics import ranking_metrics, uauc


def by_user(scores: Any, labels: Any, users: Any) -> tuple[list[float], list[int]]:
    """AUC and impressions of each user that has both classes, computed one user at a time."""
    areas, sizes = [], []
    for user in np.unique(users):
        rows_of_user = users == user
        if len(np.unique(labels[rows_of_user])) == 2:
            areas.append(float(roc_auc_score(labels[rows_of_user], scores[rows_of_user])))
            sizes.append(int(rows_of_user.sum()))
    return areas, sizes


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(2, 300), levels=st.sampled_from([2, 5, 10**6]))
def test_metrics_agree_with_sklearn(seed: int, rows: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores = ((rng.integers(0, levels, rows) + 0.5) / levels).astype(np.float32)
    labels = rng.integers(0, 2, rows).astype(np.float32)
    labels[:2] = [0, 1]
    users = rng.integers(-5, max(1, rows // 4), rows)
    metrics = ranking_metrics(scores, labels, users)
    areas, sizes = by_user(scores, labels, users)
    assert metrics["auc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    clipped = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    assert metrics["logloss"] == pytest.approx(sklearn_log_loss(labels, clipped), abs=1e-12)
    assert ("uauc" in metrics) == bool(areas)
    if areas:
        assert metrics["uauc"] == pytest.approx(np.mean(areas), abs=1e-12)
        assert uauc(scores, labels, users) == metrics["uauc"]
        assert metrics["gauc"] == pytest.approx(np.average(areas, weights=sizes), abs=1e-12)


def test_undefined_metrics_are_left_out() -> None:
    one_class = ranking_metrics(np.array([0.1, 0.2]), np.ones(2), np.array([1, 2]))
    assert set(one_class) == {"logloss"}
    assert ranking_metrics(np.zeros(0), np.zeros(0), np.zeros(0, dtype=int)) == {}
    assert np.isnan(uauc(np.array([0.1]), np.ones(1), np.array([1])))


def test_a_certain_wrong_score_has_a_finite_log_loss() -> None:
    assert np.isfinite(ranking_metrics(np.array([1.0]), np.zeros(1), np.zeros(1, int))["logloss"])
