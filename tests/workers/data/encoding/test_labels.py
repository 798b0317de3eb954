"""Labels are 0 and 1; users are numbers."""

from typing import Any

import pyarrow as pa
import pytest

from mixfront.data.encoding.labels import UserCodes, encode_label
from mixfront.exceptions import DataError, SchemaError


@pytest.mark.parametrize(
    "column", [pa.array([0, 1], pa.int8()), pa.array([0.0, 1.0]), pa.array([False, True])]
)
def test_labels(column: Any) -> None:
    label = encode_label(pa.chunked_array([column]), "click")
    assert label.dtype == "float32"
    assert label.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 1, 2, 2, 7], "in 3 rows, for example 2"),
        ([0, None], "in 1 row, for example null"),
        ([0.0, 0.5], "in 1 row, for example 0.5"),
        ([0.0, float("nan")], "in 1 row, for example nan"),
    ],
)
def test_other_labels_are_refused_with_value_and_count(values: list[Any], message: str) -> None:
    with pytest.raises(DataError) as caught:
        encode_label(pa.chunked_array([pa.array(values)]), "click")
    assert message in str(caught.value)
    assert "'click'" in str(caught.value)


@pytest.mark.parametrize("values", [["0", "1"], [[0], [1]], [None, None]])
def test_labels_of_another_type_are_refused_without_rows(values: list[Any]) -> None:
    column = pa.chunked_array([pa.array(values)]).slice(0, 0)
    with pytest.raises(SchemaError, match=r"the label 'click' holds .*; choose a column of 0 and"):
        encode_label(column, "click")


@pytest.mark.parametrize("kind", [pa.float16(), pa.dictionary(pa.int8(), pa.int64())])
def test_labels_in_types_that_arrow_cannot_count(kind: Any) -> None:
    assert encode_label(pa.chunked_array([pa.array([0, 1, 1], kind)]), "click").tolist() == [
        0,
        1,
        1,
    ]


def test_integer_users_stay_and_texts_are_numbered_across_tables() -> None:
    assert UserCodes("user").codes(pa.array([7, 3, 7], pa.int32())).tolist() == [7, 3, 7]
    codes = UserCodes("user")
    assert codes.codes(pa.array(["b", "a", "b"])).tolist() == [0, 1, 0]
    assert codes.codes(pa.chunked_array([["c", "a"]])).tolist() == [2, 1]
    assert codes.codes(pa.array(["b"]).dictionary_encode()).tolist() == [0]


def test_users_that_are_bytes_need_not_be_text() -> None:
    users = pa.array([b"\xff", b"a", b"\xff"])
    assert UserCodes("user").codes(users).tolist() == [0, 1, 0]
    assert UserCodes("user").codes(users.cast(pa.binary(1))).tolist() == [0, 1, 0]


def test_users_that_are_lists_are_refused() -> None:
    with pytest.raises(SchemaError, match="the user 'who' holds list"):
        UserCodes("who").codes(pa.array([[1], [2]]))


def test_rows_without_a_user_are_groups_of_their_own() -> None:
    codes = UserCodes("user")
    first = codes.codes(pa.array([None, 5, None]))
    second = codes.codes(pa.array([None, 5]))
    assert len({*first[[0, 2]], second[0]}) == 3
    assert first[1] == second[1] == 5
