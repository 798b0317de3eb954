"""Labels are 0 and 1; users are numbers."""

from typing import Any

import pyarrow as pa
import pytest

from mixfront.data.encoding.labels import UserCodes, encode_label
from mixfront.exceptions import DataError


@pytest.mark.parametrize(
    "column", [pa.array([0, 1], pa.int8()), pa.array([0.0, 1.0]), pa.array([False, True])]
)
def test_labels(column: Any) -> None:
    label = encode_label(pa.chunked_array([column]), "click")
    assert label.dtype == "float32"
    assert label.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0, 1, 2, 2, 7], "in 3 rows, for example 2"),
        ([0, None], "in 1 row, for example null"),
        ([0.0, 0.5], "in 1 row, for example 0.5"),
        (["yes", "no", "yes"], "in 3 rows, for example yes"),
        ([0.0, float("nan")], "in 1 row, for example nan"),
    ],
)
def test_other_labels_are_refused_with_value_and_count(values: list[Any], told: str) -> None:
    with pytest.raises(DataError) as caught:
        encode_label(pa.chunked_array([pa.array(values)]), "click")
    assert told in str(caught.value)
    assert "'click'" in str(caught.value)


def test_whole_numbers_stay_and_texts_are_numbered_over_tables() -> None:
    assert UserCodes().codes(pa.array([7, 3, 7], pa.int32())).tolist() == [7, 3, 7]
    codes = UserCodes()
    assert codes.codes(pa.array(["b", "a", "b"])).tolist() == [0, 1, 0]
    assert codes.codes(pa.chunked_array([["c", "a"]])).tolist() == [2, 1]
    assert codes.codes(pa.array(["b"]).dictionary_encode()).tolist() == [0]


def test_rows_without_a_user_are_groups_of_their_own() -> None:
    codes = UserCodes()
    first = codes.codes(pa.array([None, 5, None]))
    second = codes.codes(pa.array([None, 5]))
    assert len({*first[[0, 2]], second[0]}) == 3
    assert first[1] == second[1] == 5
