"""The AUC of resamples, from a single sort, equals that of scikit-learn on the repeated rows."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.bench.bootstrap import interval, mean_of_seeds, resampled_aucs, resampled_counts


def test_resampled_auc_equals_the_auc_of_repeated_rows() -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 60).astype(float)
    score = rng.integers(0, 9, 60) / 9.0  # with ties
    counts = resampled_counts(60, seed=2, resamples=5)

    aucs = resampled_aucs(label, score, counts)

    for row, auc in zip(counts.astype(int), aucs, strict=True):
        rows = np.repeat(np.arange(60), row)
        assert auc == pytest.approx(roc_auc_score(label[rows], score[rows]))


def test_every_resample_has_as_many_rows_as_the_data() -> None:
    counts = resampled_counts(40, seed=3, resamples=7)
    assert counts.shape == (7, 40)
    assert (counts.sum(1) == 40).all()


def test_a_model_does_not_differ_from_itself() -> None:
    label, score = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.2, 0.3, 0.4])
    counts = np.ones((3, 4))
    ours = mean_of_seeds(label, [score, score], counts)
    assert interval(ours - resampled_aucs(label, score, counts)) == (0.0, 0.0, 0.0)
