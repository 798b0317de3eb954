"""Columns that leak the label."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.inspection.leaks import LabelSignal, label_signal, looks_like_outcome
from mixfront.data.inspection.profile import profile_column

RNG = np.random.default_rng(0)
LABEL = (RNG.random(4000) < 0.4).astype(float)


def signal(values: Any) -> LabelSignal | None:
    column = pa.chunked_array([pa.array(values)])
    return label_signal(profile_column("x", column), column, LABEL)


def existing_signal(values: Any) -> LabelSignal:
    result = signal(values)
    assert result is not None
    return result


def test_the_label_itself_leaks_in_any_encoding() -> None:
    for values in (
        LABEL,
        1 - LABEL,
        np.where(LABEL == 1, "yes", "no"),
        LABEL * 1000 + RNG.normal(0, 1, 4000),  # a number with many values
        np.where(LABEL == 1, 3.0, np.nan),
    ):
        assert existing_signal(values).leaks


def test_noise_does_not_leak() -> None:
    assert existing_signal(RNG.integers(10, size=4000)).auc == pytest.approx(0.5, abs=0.05)
    assert not existing_signal(np.arange(4000)).leaks, (
        "ids that occur once predict nothing about other rows"
    )
    assert not existing_signal([f"u{i}" for i in range(4000)]).leaks


def test_a_good_feature_is_not_called_a_leak() -> None:
    result = existing_signal(LABEL + RNG.normal(0, 1, 4000))
    assert 0.6 < result.auc < 0.9
    assert not result.leaks


def test_a_flag_that_decides_the_label_has_purity_1() -> None:
    result = existing_signal(np.where(RNG.random(4000) < 0.5, LABEL, 0))
    assert result.purity == 1.0
    assert not result.leaks


def test_constants_and_lists_have_no_signal() -> None:
    assert signal([1] * 4000) is None
    assert signal([[1]] * 4000) is None


@pytest.mark.parametrize(
    ("name", "values", "outcome"),
    [
        ("is_like", [0, 1], True),
        ("long_view", [0, 1], True),
        ("click_label", [0, 1], True),
        ("play_time_ms", [3.5, 900.0, 8.0], True),
        ("like_seq", [[1], [2]], False),
        ("view_count", [10, 200, 3], False),
        ("is_video_author", [0, 1], False),
        ("follow_user_num", [10, 0, 5], False),
        ("share_of_day", [0.5, 0.1, 0.2], False),
    ],
)
def test_other_outcomes_by_name_and_values(name: str, values: list[Any], outcome: bool) -> None:
    profile = profile_column(name, pa.chunked_array([pa.array(values)]))
    assert looks_like_outcome(profile) is outcome
