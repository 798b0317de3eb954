"""AUC against its definition."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixfront.data.auc import auc

ROWS = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30)


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
