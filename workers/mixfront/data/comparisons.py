"""One comparison of a row filter as an Arrow expression that no value of a column can break.

Arrow casts a column to the type of the literal while it reads, and fails at the first value that
does not fit: `id > 1.5` at an id above 2^24, `hash != 0` at an unsigned hash above 2^63, a decimal
compared with an integer at any value. So literals are converted to the column's type instead.
Where that is impossible (3.5 for an integer, 300 for an int8), an equivalent comparison is used.
"""

import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from operator import eq, ge, gt, le, lt, ne, or_
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixfront.data.filter_grammar import Comparison, Value
from mixfront.exceptions import SpecError

_COMPARED_AS = {
    pa.float16(): pa.float32(),
    pa.string_view(): pa.string(),
}  # Arrow cannot compare these directly
_OPERATORS: dict[str, Any] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


def comparison_expression(comparison: Comparison, field: Any, text: str) -> Any:
    """A comparison as a `pyarrow.compute.Expression`.

    Args:
        comparison: One column compared with one literal or a list.
        field: The column's `pyarrow.Field`.
        text: The whole filter, for messages.

    Raises:
        SpecError: If a literal cannot be compared with the column.
    """
    column, kind = pc.field(field.name), _value_type(field.type)
    if comparison.values == (None,):
        if pa.types.is_dictionary(field.type):
            column = column.cast(kind)  # else Arrow 25 treats a row group of only nulls as valid
        return column.is_null() if comparison.operator == "==" else column.is_valid()
    if kind in _COMPARED_AS:
        column = column.cast(_COMPARED_AS[kind])
    operator = "==" if comparison.operator == "in" else comparison.operator
    parts = [_compare(column, operator, value, kind) for value in comparison.values]
    for value, part in zip(comparison.values, parts, strict=True):
        if part is None:
            raise SpecError(
                f"the filter {text!r} compares the column {field.name!r} ({kind}) with "
                f"{value!r}; write {_example(kind)}"
            )
    return reduce(or_, parts)


def _compare(column: Any, operator: str, value: Value, kind: Any) -> Any:
    """The expression, or None if the literal cannot be compared with the type."""
    types = pa.types
    if isinstance(value, int | float) and (types.is_integer(kind) or types.is_decimal(kind)):
        return _compare_exactly(column, operator, value, kind)
    literal = _literal(value, kind)
    if literal is None:
        return None
    compared = _OPERATORS[operator](column, literal)
    # NaN != x holds, but Arrow skips row groups whose other values all equal x: exclude all NaN
    return compared & ~pc.is_nan(column) if operator == "!=" and _is_float(kind) else compared


def _literal(value: Value, kind: Any) -> Any:
    types = pa.types
    if types.is_boolean(kind) and not isinstance(value, str) and value in (0, 1):
        return bool(value)
    if _is_float(kind) and isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        return None
    if _is_text(kind):
        return value
    return _moment(value, kind) if types.is_temporal(kind) else None


def _compare_exactly(column: Any, operator: str, value: float, kind: Any) -> Any:
    """Compare in whole multiples of a unit: 1 for integers, 10^-scale for decimals."""
    low, high, unit = _range(kind)
    below, exact = _floor(value, low, high, unit)
    if exact:
        return _OPERATORS[operator](column, _multiple(below, kind))
    if operator == "!=":
        return column.is_valid()
    if operator in ("<", "<=") and below >= low:
        return column <= _multiple(min(below, high), kind)
    if operator in (">", ">=") and below < high:
        return column >= _multiple(max(below + 1, low), kind)
    return pc.scalar(False)


def _range(kind: Any) -> tuple[int, int, Fraction]:
    """The smallest and the largest value of a type in units, and the unit."""
    if pa.types.is_decimal(kind):
        high = 10**kind.precision - 1
        return -high, high, Fraction(10) ** -kind.scale
    limits = np.iinfo(kind.to_pandas_dtype())
    return int(limits.min), int(limits.max), Fraction(1)


def _floor(value: float, low: int, high: int, unit: Fraction) -> tuple[int, bool]:
    """A number in units, floored and clamped to [low - 1, high + 1]; and whether that is exact."""
    if math.isinf(value):
        return (high + 1 if value > 0 else low - 1), False
    # from its decimal digits, so that 0.1 is exactly a tenth; `+ 0` turns true into 1
    units = Fraction(repr(value + 0)) / unit
    below = max(low - 1, min(math.floor(units), high + 1))
    return below, below == units and low <= below <= high


def _multiple(count: int, kind: Any) -> Any:
    exact = Decimal(f"{count}e{-kind.scale}") if pa.types.is_decimal(kind) else count
    return pa.scalar(exact, kind)


def _moment(value: str, kind: Any) -> Any:
    """ISO 8601 text as a scalar of a temporal type; None if it is not valid."""
    try:
        if pa.types.is_time(kind):
            time = dt.time.fromisoformat(value)
            scalar = pa.scalar(time, kind)  # loses a time zone, and digits below the unit
            return scalar if scalar.as_py() == time else None
        return pa.scalar(value).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError):
        return None


def _value_type(kind: Any) -> Any:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_float(kind: Any) -> bool:
    return bool(pa.types.is_floating(kind))


def _is_text(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _example(kind: Any) -> str:
    types = pa.types
    if _is_text(kind):
        return "text in quotes"
    if types.is_timestamp(kind) and kind.tz:
        return "a time with its zone in quotes, such as '2026-01-31T12:00:00Z'"
    if types.is_timestamp(kind) or types.is_date(kind):
        return "a time in quotes, such as '2026-01-31'"
    if types.is_time(kind):
        return "a time of day in quotes, such as '12:30:00'"
    if types.is_integer(kind) or _is_float(kind) or types.is_decimal(kind):
        return "a number"
    return "true or false" if types.is_boolean(kind) else "a filter on another column"
