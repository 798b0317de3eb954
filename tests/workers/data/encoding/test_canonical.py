"""A value has the same form, whatever its source."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.encoding.canonical import Canonical, canonical, form_of, numbers
from mixfront.exceptions import SchemaError


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (pa.int8(), "int64"),
        (pa.uint64(), "int64"),
        (pa.bool_(), "int64"),
        (pa.float32(), "float32"),
        (pa.float64(), "float32"),
        (pa.decimal128(5, 2), "float32"),
        (pa.string(), "string"),
        (pa.large_string(), "string"),
        (pa.string_view(), "string"),
        (pa.date32(), "string"),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
    ],
)
def test_forms_of_types(kind: Any, form: str) -> None:
    assert form_of(kind, "x") == form


def test_times_are_not_categories() -> None:
    with pytest.raises(SchemaError, match="'x' is categorical but its column holds timestamp"):
        form_of(pa.timestamp("us"), "x")


@pytest.mark.parametrize(
    ("form", "column", "expected"),
    [
        ("int64", pa.array([7, None], pa.int8()), [7, None]),
        ("int64", pa.array([7.0, float("nan"), 7.5, 1e300, float("inf")]), [7] + [None] * 4),
        ("int64", pa.array(["7", "-3", "x", "7.5", None]), [7, -3, None, None, None]),
        (
            "int64",
            pa.array([str(2**63 - 1), str(2**63), str(-(2**63)), "9" * 19, "0" * 20]),
            [2**63 - 1, None, -(2**63), None, None],
        ),
        ("int64", pa.array([True, False]), [1, 0]),
        ("int64", pa.array([Decimal("7"), Decimal("8")]), [7, 8]),
        ("int64", pa.nulls(2), [None, None]),
        ("int64", pa.array([2**60 + 1, None, 7]), [2**60 + 1, None, 7]),
        ("float32", pa.array([0.1, -0.0, float("nan")]), [np.float32(0.1), 0.0, None]),
        ("float32", pa.array([1, 2]), [1.0, 2.0]),
        ("float32", pa.array(["0.5", "x"]), [0.5, None]),
        ("float32", pa.array([Decimal("0.5")]), [0.5]),
        ("string", pa.array([7, None]), ["7", None]),
        ("string", pa.array([7.0, float("nan")]), ["7", None]),
        ("string", pa.array([7.5]), ["7.5"]),
        ("string", pa.array([datetime.date(2026, 1, 5)]), ["2026-01-05"]),
        ("string", pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
        ("string", pa.nulls(1), [None]),
    ],
)
def test_values_in_canonical_form(form: Canonical, column: Any, expected: list[Any]) -> None:
    converted = canonical(pa.chunked_array([column]), form)
    assert converted.values.to_pylist() == expected


def test_unknown_is_not_missing() -> None:
    converted = canonical(pa.array(["x", None]), "int64")
    assert converted.values.to_pylist() == [None, None]
    assert converted.nulls.tolist() == [False, True]


def test_numbers_of_every_type() -> None:
    for column in (
        pa.array([1, None]),
        pa.array([1.0, float("inf")]),
        pa.array(["1", None]),
        pa.array([True, None]),
        pa.array([Decimal("1.0"), None]),
    ):
        np.testing.assert_array_equal(numbers(column, "x"), [1.0, np.nan])
    assert np.isnan(numbers(pa.nulls(1), "x")).all()


def test_values_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(SchemaError, match="a value is 'cheap'"):
        numbers(pa.array(["1", "cheap"]), "price")
    with pytest.raises(SchemaError, match="'price' is numeric but its column holds list"):
        numbers(pa.array([[1]]), "price")
