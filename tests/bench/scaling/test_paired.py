"""Closed-form covariances agree with the bootstrap, and seed variances with their definition."""

import numpy as np
import pytest
from tests.bench.bootstrap import resampled_aucs, resampled_counts
from tests.bench.scaling.paired import Floats, placements, row_covariance, seed_variance

from mixfront.data.auc import auc


def _two_models(num_rows: int) -> tuple[Floats, list[Floats]]:
    rng = np.random.default_rng(6)
    logit = rng.normal(size=num_rows)
    label = (rng.random(num_rows) < 1 / (1 + np.exp(-logit))).astype(float)
    return label, [np.round(logit + rng.normal(size=num_rows) * s, 1) for s in (0.5, 1.0)]


def test_placements_of_both_classes_average_to_the_auc() -> None:
    label, scores = _two_models(500)
    for score in scores:
        shares = placements(label, score)
        assert shares[label == 1].mean() == pytest.approx(auc(score, label))
        assert shares[label == 0].mean() == pytest.approx(auc(score, label))


def test_row_covariance_agrees_with_the_paired_bootstrap() -> None:
    label, scores = _two_models(2000)
    counts = resampled_counts(2000, resamples=2000)
    expected = np.cov([resampled_aucs(label, score, counts) for score in scores])
    covariance = row_covariance(label, [placements(label, score) for score in scores])
    assert covariance == pytest.approx(expected, rel=0.15)


def test_seed_variance_is_pooled_and_ignores_single_runs() -> None:
    aucs = {"a": [0.70, 0.72], "b": [0.60, 0.60, 0.63], "c": [0.5]}
    pooled = (1 * np.var(aucs["a"], ddof=1) + 2 * np.var(aucs["b"], ddof=1)) / 3
    assert seed_variance(aucs) == pytest.approx(pooled)
    assert seed_variance({"c": [0.5]}) == 0
