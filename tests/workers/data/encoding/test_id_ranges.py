"""Integer ids from a narrow range, looked up in arrays."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.encoding.id_ranges import IdRange, IdRangeLookup, make_id_range
from mixfront.exceptions import SchemaError

UNKNOWN, NULL = 1, 2


def id_range(*ids: int) -> IdRange:
    """Rows 10, 11, ... for ids."""
    rows = 10 + np.arange(len(ids), dtype=np.int32)
    made = make_id_range(np.array(ids), rows, unknown=UNKNOWN, null=NULL)
    assert made is not None
    return made


def rows(known: IdRange, column: Any) -> list[int]:
    row_list: list[int] = IdRangeLookup([known]).rows([column], ["x"])[0].tolist()
    return row_list


@pytest.mark.parametrize("first", [-(2**63), -3, 0, 2**60, 2**63 - 3])
def test_ids_at_and_beyond_both_ends(first: int) -> None:
    known = id_range(first + 2, first)
    inside = pa.array([first, first + 1, first + 2], pa.int64())
    assert rows(known, inside) == [11, UNKNOWN, 10]
    ends = [end for end in (-(2**63), 2**63 - 1) if end not in (first, first + 2)]
    assert rows(known, pa.array(ends, pa.int64())) == [UNKNOWN] * len(ends)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([7, None, 9, 8], pa.int64()),
        pa.array([7, None, 9, 8], pa.int8()),
        pa.array([7.0, None, 9.0, 8.5]),
        pa.array([7.0, np.nan, 9.0, np.inf], pa.float32()),
        np.array([7.0, np.nan, 9.0, 8.0]),
        np.array([7.0, np.nan, 9.0, -np.inf], np.float16),
        pa.array(["7", None, "9", "nine"]),
        pa.chunked_array([[7], [None, 9, 8]]),
        pa.array([7, None, 9, 8]).dictionary_encode(),
    ],
)
def test_every_way_to_write_ids(column: Any) -> None:
    assert rows(id_range(7, 9), column) == [10, NULL, 11, UNKNOWN]


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint64", "float64"])
def test_numpy_ids(dtype: str) -> None:
    assert rows(id_range(7, 9), np.array([9, 8, 7], dtype)) == [11, UNKNOWN, 10]


def test_large_unsigned_ids_wrap_around() -> None:
    column = np.array([2**63 + 5, 5], np.uint64)
    assert rows(id_range(5 - 2**63), column) == rows(id_range(5 - 2**63), pa.array(column))
    assert rows(id_range(5 - 2**63), column) == [10, UNKNOWN]


def test_each_column_has_its_own_range() -> None:
    columns = [np.array([1, 2]), np.array([2.0, np.nan]), pa.array([None, 1])]
    lookup = IdRangeLookup([id_range(1, 2), id_range(2), id_range(1)])
    table_rows = lookup.rows(columns, ["a", "b", "c"])
    assert table_rows.tolist() == [[10, 11], [10, NULL], [NULL, 10]]
    assert table_rows.dtype == np.int32


def test_no_rows() -> None:
    assert rows(id_range(1), pa.array([], pa.int64())) == []


def test_ids_far_apart_have_no_places() -> None:
    two = np.array([0, 2**40])
    assert make_id_range(two, np.array([1, 2], np.int32), unknown=UNKNOWN, null=NULL) is None


def test_a_column_that_cannot_be_ids_is_refused_by_name() -> None:
    columns = [np.array([1]), pa.array([[1]])]
    with pytest.raises(SchemaError, match="'b' is categorical but its column holds list"):
        IdRangeLookup([id_range(1), id_range(1)]).rows(columns, ["a", "b"])
