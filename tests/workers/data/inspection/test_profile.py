"""The profile of one column."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.inspection.profile import ColumnProfile, profile_column


def profile_of(values: Any) -> ColumnProfile:
    return profile_column("x", pa.chunked_array([pa.array(values)]))


def test_numbers() -> None:
    profile = profile_of([1.0, None, 3.0, 3.0])
    assert (profile.shape, profile.null_share, profile.distinct) == ("number", 0.25, 2)
    assert (profile.low, profile.high, profile.whole, profile.binary) == (1.0, 3.0, True, False)
    assert profile_of([0, 1, None]).binary
    assert not profile_of([0.5, 1.0]).whole


def test_constants_and_empty_columns() -> None:
    assert profile_of([4, 4]).constant
    assert profile_of(pa.nulls(3)).shape == "other"
    assert profile_of(pa.array([None, None], pa.int64())).constant
    assert not profile_of([[1], [1]]).constant


def test_long_tails() -> None:
    assert profile_of(np.exp(np.random.default_rng(0).normal(0, 3, 1000))).skewed
    assert not profile_of(np.arange(1000)).skewed


@pytest.mark.parametrize(
    ("values", "sentinels"),
    [
        ([-124, 0, 1], ("-124",)),
        ([-1.0, 5.0, 6.0], ("-1",)),
        ([-2, -1, 0], ()),
        ([1, 2, 99999], ("99999",)),
        ([1, 2, 950, 999], ()),
        (["NORMAL", "UNKNOWN", ""], ("", "UNKNOWN")),
        ([[1], [2]], ()),
    ],
)
def test_placeholders_for_unknown_values(values: list[Any], sentinels: tuple[str, ...]) -> None:
    assert profile_of(values).sentinels == sentinels


def test_lists_are_profiled_by_their_items() -> None:
    profile = profile_of([[1, 2, 2], None, [], [3] * 10])
    assert (profile.shape, profile.distinct, profile.p95_length) == ("list", 3, 9)
    assert profile_of([list(range(50))]).example == "[0, 1, 2, 3, 4, ...]"


def test_nested_types_are_other() -> None:
    assert profile_of([{"a": 1}]).shape == "other"
    assert profile_of([[{"a": 1}]]).shape == profile_of([[[1]]]).shape == "other"


@pytest.mark.parametrize("kind", [pa.float16(), pa.decimal32(5, 2), pa.decimal64(12, 2)])
def test_small_numbers_are_counted(kind: Any) -> None:
    profile = profile_of(pa.array([1, 2, 2, None], kind))
    assert (profile.shape, profile.distinct, profile.high) == ("number", 2, 2.0)


def test_dictionaries_are_profiled_by_their_values() -> None:
    profile = profile_column("x", pa.chunked_array([pa.array(["a", "b"]).dictionary_encode()]))
    assert (profile.shape, profile.distinct) == ("text", 2)
