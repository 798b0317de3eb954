"""One form for a value however it arrives: 7 from Parquet, 7.0 from pandas, "7" from JSON.

A feature's form is chosen when the encoder is fitted. A value that cannot be brought into it (a
word where whole numbers stood) becomes null in `values` but not in `nulls`: unknown, not absent.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixfront.exceptions import SchemaError

Canonical = Literal["int64", "float32", "string"]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

_WHOLE = r"^[-+]?\d{1,18}$"
_NUMBER = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
_LIMIT = 2.0**63


@dataclass(frozen=True)
class Values:
    """A column in one form; `values` is also null where a value does not fit the form."""

    values: Any  # pyarrow.Array of the canonical type, (N,)
    nulls: Mask  # (N,), True where nothing was given


def form_of(kind: Any, feature: str) -> Canonical:
    """The form for a column's Arrow type; a float column may turn out whole when it is read.

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
    array = _plain(column)
    nulls = np.asarray(array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False))
    return Values(values=_FORMS[form](array), nulls=nulls)


def numbers(column: Any, feature: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A column as float64 (N,), NaN where null or infinite.

    Raises:
        SchemaError: If it holds what is not a number.
    """
    array, types = _plain(column), pa.types
    if _is_text(array.type):
        array = _parsed(array, feature)
    elif not (types.is_null(array.type) or types.is_boolean(array.type) or _is_number(array.type)):
        raise SchemaError(
            f"the feature {feature!r} is numeric but its column holds {array.type}; "
            "make it categorical"
        )
    flat = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(flat), flat, np.nan)


def is_whole(array: Any) -> bool:
    """Whether every number of a float array is whole (nulls aside)."""
    flat = array.to_numpy(zero_copy_only=False)
    finite = flat[np.isfinite(flat)]
    return bool(np.all((np.floor(finite) == finite) & (np.abs(finite) < 2**53)))


def _plain(column: Any) -> Any:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    # Arrow has no kernels for float16 but casts
    return array.cast(pa.float32()) if pa.types.is_float16(array.type) else array


def _int64(array: Any) -> Any:
    kind = array.type
    if pa.types.is_decimal(kind):
        array = array.cast(pa.float64())
    if pa.types.is_floating(array.type):
        whole = pc.and_(pc.equal(pc.floor(array), array), pc.less(pc.abs(array), _LIMIT))
        return pc.if_else(whole, array, None).cast(pa.int64(), safe=False)
    if _is_text(kind):
        fits = pc.match_substring_regex(array, _WHOLE)
        return pc.if_else(fits, array, None).cast(pa.int64())
    # unsigned numbers over 2^63 wrap: still one code for one value
    return array.cast(pa.int64(), safe=False)


def _float32(array: Any) -> Any:
    if _is_text(array.type):
        fits = pc.match_substring_regex(array, _NUMBER)
        array = pc.if_else(fits, array, None)
    decimal = pa.types.is_decimal(array.type)
    narrow = (array.cast(pa.float64()) if decimal else array).cast(pa.float32(), safe=False)
    return pc.if_else(pc.is_finite(narrow), pc.add(narrow, np.float32(0.0)), None)  # -0.0 is 0.0


def _string(array: Any) -> Any:
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
