"""Tables and frames as columns."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mixfront.data.encoding.raw_columns import raw_columns
from mixfront.exceptions import SchemaError


def test_only_named_columns_that_exist_are_read() -> None:
    unreadable = [object(), object()]
    frame = pd.DataFrame({"a": [1, 2], "b": unreadable, "c": ["x", "y"]})
    assert raw_columns(frame, ["c", "z", "a"]).keys() == {"a", "c"}
    table = pa.table({"a": [1, 2], "c": ["x", "y"]})
    assert raw_columns(table, ["c", "z"])["c"].to_pylist() == ["x", "y"]


def test_numbers_stay_what_they_are() -> None:
    frame = pd.DataFrame({"a": [2**60 + 1, 3], "b": [1.5, None], "c": np.array([1, 2], np.uint8)})
    columns = raw_columns(frame, "abc")
    assert [columns[name].dtype for name in "abc"] == [np.int64, np.float64, np.uint8]
    assert columns["a"].tolist() == [2**60 + 1, 3]
    np.testing.assert_array_equal(columns["b"], [1.5, np.nan])


@pytest.mark.parametrize(
    ("values", "dtype", "kind"),
    [
        ([2**60 + 1, None], "Int64", pa.int64()),
        ([2**60 + 1, None], object, pa.int64()),
        ([True, None], "boolean", pa.bool_()),
        ([True, None], object, pa.bool_()),
        (["a", None], object, pa.string()),
        (["a", None], "string[python]", pa.string()),
        (["a", None], "str", pa.large_string()),
        (["a", None], "category", pa.dictionary(pa.int8(), pa.large_string())),
        ([datetime.date(2026, 1, 5), None], object, pa.date32()),
        ([datetime.datetime(2026, 1, 5, 7), None], "datetime64[ns]", pa.timestamp("ns")),
        ([[1, 2], None, [], np.array([3]), (4,)], object, pa.list_(pa.int64())),
        ([["a", None], np.array([], object)], object, pa.list_(pa.string())),
        ([None, None], object, pa.null()),
    ],
)
def test_other_columns_become_arrow_arrays(values: list[Any], dtype: Any, kind: Any) -> None:
    series = pd.Series(values, dtype=dtype)
    column = raw_columns(pd.DataFrame({"x": series}), ["x"])["x"]
    assert column.type == kind
    expected = [None if v is None else list(v) if np.ndim(v) else v for v in values]
    assert column.to_pylist() == expected


def test_nan_among_objects_is_null() -> None:
    frame = pd.DataFrame({"ids": [7, np.nan], "lists": [[7], np.nan]}, dtype=object)
    columns = raw_columns(frame, ["ids", "lists"])
    assert columns["ids"].to_pylist() == [7, None]
    assert columns["lists"].to_pylist() == [[7], None]


@pytest.mark.parametrize("values", [[1, "a"], [[1], ["a"]], [[1], 2], [2**70], [1, True]])
def test_values_of_several_types_are_refused(values: list[Any]) -> None:
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    with pytest.raises(SchemaError, match=r"the column 'x' cannot be read: .*one type") as caught:
        raw_columns(frame, ["x"])
    assert "\n" not in str(caught.value)


def test_two_columns_of_one_name_are_refused_if_they_are_read() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["a", "a", "b"])
    table = pa.table([[1], [2], [3]], names=["a", "a", "b"])
    for rows in (frame, table):
        with pytest.raises(SchemaError, match="the column 'a' twice"):
            raw_columns(rows, ["a"])
        assert raw_columns(rows, ["b"]).keys() == {"b"}
