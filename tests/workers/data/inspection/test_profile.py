"""What is seen in one column."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.inspection.profile import ColumnProfile, profile_column


def look(values: Any) -> ColumnProfile:
    return profile_column("x", pa.chunked_array([pa.array(values)]))


def test_numbers() -> None:
    found = look([1.0, None, 3.0, 3.0])
    assert (found.shape, found.null_share, found.distinct) == ("number", 0.25, 2)
    assert (found.low, found.high, found.whole, found.binary) == (1.0, 3.0, True, False)
    assert look([0, 1, None]).binary
    assert not look([0.5, 1.0]).whole


def test_constants_and_empty_columns() -> None:
    assert look([4, 4]).constant
    assert look(pa.nulls(3)).shape == "other"
    assert look(pa.array([None, None], pa.int64())).constant
    assert not look([[1], [1]]).constant


def test_long_tails() -> None:
    assert look(np.exp(np.random.default_rng(0).normal(0, 3, 1000))).skewed
    assert not look(np.arange(1000)).skewed


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
def test_values_that_look_like_not_known(values: list[Any], sentinels: tuple[str, ...]) -> None:
    assert look(values).sentinels == sentinels


def test_lists_are_looked_into() -> None:
    found = look([[1, 2, 2], None, [], [3] * 10])
    assert (found.shape, found.distinct, found.p95_length) == ("list", 3, 9)
    assert look([list(range(50))]).example == "[0, 1, 2, 3, 4, ...]"


def test_other_types_are_left_alone() -> None:
    assert look([{"a": 1}]).shape == "other"
    assert look([[{"a": 1}]]).shape == look([[[1]]]).shape == "other"


@pytest.mark.parametrize("kind", [pa.float16(), pa.decimal32(5, 2), pa.decimal64(12, 2)])
def test_small_numbers_are_counted(kind: Any) -> None:
    profile = look(pa.array([1, 2, 2, None], kind))
    assert (profile.shape, profile.distinct, profile.high) == ("number", 2, 2.0)


def test_dictionaries_are_their_values() -> None:
    found = profile_column("x", pa.chunked_array([pa.array(["a", "b"]).dictionary_encode()]))
    assert (found.shape, found.distinct) == ("text", 2)
