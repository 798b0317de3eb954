"""AUC compared with its definition: the share of pairs in the right order."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixfront.data.auc import auc, auc_by_group

ROWS = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30)


def test_the_auc_of_no_rows_is_nan() -> None:
    assert np.isnan(auc(np.zeros(0), np.zeros(0)))
    sizes, aucs = auc_by_group(np.zeros(0), np.zeros(0), np.zeros(0, int))
    assert (len(sizes), len(aucs)) == (0, 0)


@given(ROWS)
def test_it_is_the_share_of_ordered_pairs(rows: list[Any]) -> None:
    scores = np.array([score for score, _ in rows], float)
    labels = np.array([label for _, label in rows], float)
    pairs = [
        1.0 if up > down else 0.5 if up == down else 0.0
        for up in scores[labels == 1]
        for down in scores[labels == 0]
    ]
    if pairs:
        assert auc(scores, labels) == pytest.approx(np.mean(pairs))
    else:
        assert np.isnan(auc(scores, labels))


@given(ROWS, st.integers(1, 4))
def test_every_group_with_both_classes_has_the_auc_of_its_own_rows(
    rows: list[Any], num_groups: int
) -> None:
    scores = np.array([score for score, _ in rows], float)
    labels = np.array([label for _, label in rows])
    groups = np.arange(len(rows)) % num_groups - 1
    expected = {}
    for group in np.unique(groups):
        in_group = groups == group
        if not np.isnan(group_auc := auc(scores[in_group], labels[in_group])):
            expected[group] = (int(in_group.sum()), group_auc)
    sizes, aucs = auc_by_group(scores, labels, groups)
    assert list(zip(sizes.tolist(), aucs.tolist(), strict=True)) == list(expected.values())


def test_ties_count_half() -> None:
    sizes, aucs = auc_by_group(np.full(4, 0.3), np.array([0, 1, 1, 0]), np.zeros(4, dtype=int))
    assert sizes.tolist() == [4]
    assert aucs.tolist() == [0.5]


def test_equal_scores_of_two_users_are_not_a_tie() -> None:
    scores = np.array([0.2, 0.9, 0.9, 0.1])
    _, aucs = auc_by_group(scores, np.array([0, 1, 0, 1]), np.array([1, 1, 2, 2]))
    assert aucs.tolist() == [1.0, 0.0]
