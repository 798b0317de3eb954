"""One form per value, whatever its source: 7 from Parquet, 7.0 from pandas, "7" from JSON.

A feature's form is chosen when the encoder is fitted. A value that cannot be converted to
it (a word among whole numbers) is null in `values` but not in `nulls`: unknown, not missing.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixfront.exceptions import SchemaError

Canonical = Literal["int64", "float32", "string"]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

_WHOLE = r"^[-+]?\d{1,19}$"
_NUMBER = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
_LIMIT = 2.0**63
_DIGITS = pa.decimal128(19, 0)  # enough for every int64
_LOWEST = pa.scalar(Decimal(-(2**63)), _DIGITS)
_HIGHEST = pa.scalar(Decimal(2**63 - 1), _DIGITS)


@dataclass(frozen=True)
class Values:
    """A column in canonical form; `values` is also null where a value does not fit the form."""

    values: Any  # pyarrow.Array of the canonical type, (N,); text may be large_string
    nulls: Mask  # (N,), True where the value was missing


def form_of(kind: Any, feature: str) -> Canonical:
    """The form for a column's Arrow type; float ids may later turn out to be whole numbers.

    Raises:
        SchemaError: If values of that type cannot be categories.
    """
    types = pa.types
    if types.is_dictionary(kind):
        return form_of(kind.value_type, feature)
    if types.is_integer(kind) or types.is_boolean(kind) or types.is_null(kind):
        return "int64"
    if types.is_floating(kind) or types.is_decimal(kind):
        return "float32"
    if _is_text(kind) or types.is_date(kind):
        return "string"
    raise SchemaError(
        f"the feature {feature!r} is categorical but its column holds {kind}; "
        "choose another column or kind"
    )


def canonical(column: Any, form: Canonical) -> Values:
    """A pyarrow array or chunked array in canonical form. NaN counts as null."""
    array = plain(column)
    return Values(values=_FORMS[form](array), nulls=nulls_of(array))


def readable(column: Any, form: Canonical, feature: str) -> Values:
    """Like `canonical`, but for served rows, whose types have not been checked yet.

    Raises:
        SchemaError: If values of the column's type cannot be categories.
    """
    array = plain(column)
    form_of(array.type, feature)
    try:
        return canonical(array, form)
    except pa.ArrowNotImplementedError:
        raise SchemaError(
            f"the feature {feature!r} cannot be read from {array.type}; send values of the type "
            "that it was trained on"
        ) from None


def plain(column: Any) -> Any:
    """A column (NumPy, or pyarrow in chunks or not) as one pyarrow array without a dictionary."""
    if isinstance(column, np.ndarray):
        return pa.array(column)
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    array = column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
    # Arrow has no kernels for float16 except casts.
    return array.cast(pa.float32()) if pa.types.is_float16(array.type) else array


def nulls_of(array: Any) -> Mask:
    """Where an array has nulls or NaN, (N,)."""
    if pa.types.is_floating(array.type):
        return np.asarray(np.isnan(array.to_numpy(zero_copy_only=False)))
    if array.null_count == 0:  # takes a tenth of the time of Arrow's mask
        return np.zeros(len(array), np.bool_)
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False))


def numbers(column: Any, feature: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A column as float64 (N,), NaN where null or infinite.

    Raises:
        SchemaError: If a value is not a number.
    """
    flat = column if isinstance(column, np.ndarray) else _floats(plain(column), feature)
    flat = np.asarray(flat, np.float64)
    return np.where(np.isfinite(flat), flat, np.nan)


def _floats(array: Any, feature: str) -> Any:
    kind = array.type
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and array.null_count == 0):
        return array.to_numpy(zero_copy_only=False)
    if _is_text(kind):
        array = _parsed(array, feature)
    elif not (pa.types.is_null(kind) or pa.types.is_boolean(kind) or _is_number(kind)):
        raise SchemaError(
            f"the feature {feature!r} is numeric but its column holds {kind}; make it categorical"
        )
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def whole(flat: Any) -> tuple[np.ndarray[Any, np.dtype[np.int64]], Mask]:
    """Floats as int64 (0 where they are not whole), and the mask of whole ones."""
    known = (np.floor(flat) == flat) & (np.abs(flat) < _LIMIT)
    return np.where(known, flat, 0).astype(np.int64), known


def is_whole(array: Any) -> bool:
    """Whether every number of a float array is whole; nulls are ignored."""
    flat = array.to_numpy(zero_copy_only=False)
    finite = flat[np.isfinite(flat)]
    return bool(np.all((np.floor(finite) == finite) & (np.abs(finite) < 2**53)))


def _int64(array: Any) -> Any:
    kind = array.type
    if pa.types.is_int64(kind):
        return array
    if pa.types.is_integer(kind) and array.null_count == 0:  # NumPy casts in half of Arrow's time
        return pa.array(array.to_numpy().astype(np.int64))
    if pa.types.is_decimal(kind):
        array = array.cast(pa.float64())
    if pa.types.is_floating(array.type):
        ids, known = whole(array.to_numpy(zero_copy_only=False))
        return pa.array(ids, mask=~known)
    if _is_text(kind):
        return _whole_texts(array)
    # unsigned numbers from 2^63 on wrap around; values keep distinct codes
    return array.cast(pa.int64(), safe=False)


def _whole_texts(array: Any) -> Any:
    """Parse ids that are text, as in JSON, where numbers above 2^53 are not safe."""
    fits = pc.match_substring_regex(array, _WHOLE)
    exact = pc.if_else(fits, array, None).cast(_DIGITS)
    in_range = pc.and_(pc.greater_equal(exact, _LOWEST), pc.less_equal(exact, _HIGHEST))
    return pc.if_else(in_range, exact, None).cast(pa.int64())


def _float32(array: Any) -> Any:
    if _is_text(array.type):
        fits = pc.match_substring_regex(array, _NUMBER)
        array = pc.if_else(fits, array, None)
    decimal = pa.types.is_decimal(array.type)
    narrow = (array.cast(pa.float64()) if decimal else array).cast(pa.float32(), safe=False)
    return pc.if_else(
        pc.is_finite(narrow), pc.add(narrow, np.float32(0.0)), None
    )  # -0.0 becomes 0.0


def _string(array: Any) -> Any:
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return array  # pandas uses large_string, and a cast takes as long as the lookup
    if pa.types.is_floating(array.type) and is_whole(array):
        array = _int64(array)
    return array.cast(pa.string())


_FORMS: dict[Canonical, Any] = {"int64": _int64, "float32": _float32, "string": _string}


def _parsed(array: Any, feature: str) -> Any:
    wrong = pc.and_(pc.is_valid(array), pc.invert(pc.match_substring_regex(array, _NUMBER)))
    if pc.any(wrong).as_py():
        example = array.filter(wrong)[0].as_py()
        raise SchemaError(
            f"the feature {feature!r} is numeric but a value is {example!r}; "
            "send numbers, or make it categorical"
        )
    return array


def _is_number(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_text(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
