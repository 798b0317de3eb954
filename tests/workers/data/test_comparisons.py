"""Comparing any column type with any literal selects the rows that Python's numbers select."""

import datetime as dt
import decimal
import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixfront.data.comparisons import comparison_expression
from mixfront.data.filter_grammar import Comparison, parse
from mixfront.exceptions import SpecError

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
WHOLE = [-(2**63), -129, -1, 0, 1, 2, 127, 255, 2**24 + 1, 2**53 + 1, 2**60 + 1, 2**63, 2**64 - 1]
DECIMALS = ["-99999999.99", "-0.01", "0.00", "0.10", "1.00", "99999999.99"]
LITERALS = [
    *("0", "1", "-1", "true", "127", "128", "255", "300", "16777217", "9007199254740993"),
    *("1152921504606846977", "9223372036854775807", "-9223372036854775808"),
    *("0.1", "0.5", "1.0", "2.5", "-0.5", "-0.005", "99999999.99", "1e10", "1e19", "1e-7"),
    *("1e300", "-1e300", "1e999", "-1e999"),
]


def numbers(kind: Any) -> pa.Table:
    """A column with the limits of an integer type, or with decimals, and a null."""
    if pa.types.is_decimal(kind):
        values: list[Any] = [decimal.Decimal(text) for text in DECIMALS]
    else:
        span = 2 ** (kind.bit_width - (0 if pa.types.is_unsigned_integer(kind) else 1))
        low = 0 if pa.types.is_unsigned_integer(kind) else -span
        values = [value for value in [*WHOLE, span - 1] if low <= value < span]
    return pa.table({"x": pa.array([*values, None], kind)})


def select(table: pa.Table, text: str) -> list[Any]:
    """The values that a filter selects in a scan, after checking their count."""
    comparison = parse(text)
    assert isinstance(comparison, Comparison)
    expression = comparison_expression(comparison, table.schema.field("x"), text)
    dataset = pds.dataset(table)
    rows: list[Any] = dataset.scanner(filter=expression).to_table()["x"].to_pylist()
    assert dataset.count_rows(filter=expression) == len(rows)
    return rows


def exact(literal: str) -> Any:
    if literal == "true":
        return Fraction(1)
    number = float(literal)
    return number if math.isinf(number) else Fraction(literal)


KINDS = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.decimal128(10, 2), pa.decimal128(38, 2), pa.decimal256(60, 2), pa.decimal64(14, 2)),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), st.sampled_from([*OPERATORS]), st.sampled_from(LITERALS))
def test_whole_numbers_and_decimals_are_compared_exactly(kind: Any, op: str, text: str) -> None:
    table, value = numbers(kind), exact(text)
    values = table["x"].to_pylist()
    expected = [v for v in values if v is not None and OPERATORS[op](Fraction(v), value)]
    assert select(table, f"x {op} {text}") == expected


def test_a_list_may_hold_values_that_the_column_cannot() -> None:
    assert select(numbers(pa.int8()), "x in [1, 2.5, 300, -1]") == [-1, 1]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_floats_are_compared_with_any_number(kind: Any) -> None:
    table = pa.table({"x": pa.array([-1.0, 2.5, None], kind)})
    assert select(table, "x > 9223372036854775807") == []
    assert select(table, "x <= 2.5") == [-1.0, 2.5]
    assert select(table, "x in [2.5, 3, true]") == [2.5]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()])
def test_nan_matches_no_number(kind: Any) -> None:
    table = pa.table({"x": pa.array([1.0, math.nan, None], kind)})
    for op, expected in {"!=": [], "==": [1.0], "<": [], ">=": [1.0]}.items():
        assert select(table, f"x {op} 1") == expected


DAY = dt.datetime(2026, 1, 31, 10)
MOMENTS = {
    pa.date32(): "'2026-01-31'",
    pa.date64(): "'2026-01-31'",
    pa.timestamp("s"): "'2026-01-31T10:00:00'",
    pa.timestamp("ms"): "'2026-01-31 10:00'",
    pa.timestamp("ns"): "'2026-01-31T10:00:00.000'",
    pa.timestamp("us", "UTC"): "'2026-01-31T10:00:00Z'",
    pa.timestamp("us", "Europe/Berlin"): "'2026-01-31T12:00:00+02:00'",
    pa.time32("s"): "'10:00:00'",
    pa.time64("us"): "'10:00'",
}


@pytest.mark.parametrize(("kind", "text"), MOMENTS.items(), ids=str)
def test_times_are_compared_as_times(kind: Any, text: str) -> None:
    times = pa.types.is_time(kind)
    later = DAY + (dt.timedelta(hours=1) if times else dt.timedelta(days=1))
    values: list[Any] = [moment.time() if times else moment for moment in (DAY, later)]
    if pa.types.is_date(kind):
        values = [moment.date() for moment in (DAY, later)]
    table = pa.table({"x": pa.array([*values, None], kind)})
    for op, count in (("==", 1), ("<", 0), ("<=", 1), (">", 1), ("!=", 1)):
        assert len(select(table, f"x {op} {text}")) == count
    assert len(select(table.append_column("y", table["x"]), "x != null")) == 2


def test_dictionaries_are_compared_by_their_values() -> None:
    texts = pa.table({"x": pa.array(["a", "b", "a"]).dictionary_encode()})
    assert select(texts, "x == 'a'") == ["a", "a"]
    whole = pa.table({"x": pa.array([1, 2, 3]).dictionary_encode()})
    assert select(whole, "x > 1.5") == [2, 3]


def test_numeric_flags_match_true_and_booleans_match_numbers() -> None:
    assert select(pa.table({"x": pa.array([0, 1, 1], pa.int8())}), "x == true") == [1, 1]
    assert select(pa.table({"x": [False, True]}), "x == 1") == [True]


@pytest.mark.parametrize(
    ("kind", "text", "remedy"),
    [
        (pa.int64(), "x == '3'", "write a number"),
        (pa.decimal128(5, 2), "x == '3'", "write a number"),
        (pa.string(), "x == 3", "write text in quotes"),
        (pa.large_string(), "x == true", "write text in quotes"),
        (pa.bool_(), "x == 2", "write true or false"),
        (pa.timestamp("us"), "x < 3", "write a time in quotes, such as '2026-01-31'"),
        (pa.timestamp("us"), "x < 'soon'", "write a time in quotes, such as '2026-01-31'"),
        (pa.timestamp("us"), "x < '2026-01-31T00:00:00Z'", "such as '2026-01-31'"),
        (pa.timestamp("us", "UTC"), "x < '2026-01-31'", "such as '2026-01-31T12:00:00Z'"),
        (pa.date32(), "x < '2026-01-31T10:00:00'", "such as '2026-01-31'"),
        (pa.time32("s"), "x < '2026-01-31'", "such as '12:30:00'"),
        (pa.time64("us"), "x < '12:30Z'", "such as '12:30:00'"),
        (pa.duration("s"), "x < '12:30'", "another column"),
        (pa.binary(), "x == 'a'", "another column"),
        (pa.list_(pa.int64()), "x == 3", "another column"),
        (pa.struct([("y", pa.int64())]), "x == 3", "another column"),
        (pa.map_(pa.string(), pa.int64()), "x in [3]", "another column"),
        (pa.null(), "x == 3", "another column"),
    ],
)
def test_a_literal_of_another_type_is_refused(kind: Any, text: str, remedy: str) -> None:
    with pytest.raises(SpecError, match=r"the filter .* compares the column 'x'") as caught:
        select(pa.table({"x": pa.nulls(2, kind)}), text)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)
