"""Checks labels and users, and encodes them as numbers."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixfront.data.encoding.canonical import plain
from mixfront.exceptions import DataError, SchemaError

Codes = np.ndarray[Any, np.dtype[np.int64]]
_NO_USER = np.iinfo(np.int64).min


def encode_label(column: Any, name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A label column as float32 (N,) of 0 and 1.

    Raises:
        SchemaError: If its type is neither boolean nor numeric.
        DataError: If a value is neither 0 nor 1; the message has an example and a count.
    """
    wrong = {v: n for v, n in count_labels(column, name).items() if not is_label(v)}
    if wrong:
        raise wrong_label(name, wrong)
    return np.asarray(column.cast(pa.float32()).to_numpy(), np.float32)


def count_labels(column: Any, name: str) -> dict[Any, int]:
    """Every value of a label column, and how many rows have it.

    Raises:
        SchemaError: If its type is neither boolean nor numeric.
    """
    types, kind = pa.types, column.type
    kind = kind.value_type if types.is_dictionary(kind) else kind
    if not (types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind)):
        raise SchemaError(
            f"the label {name!r} holds {kind}; choose a column of 0 and 1, or convert it"
        )
    if types.is_float16(kind):
        column = column.cast(pa.float32())  # Arrow cannot count float16
    return {count["values"]: count["counts"] for count in pc.value_counts(column).to_pylist()}


def wrong_label(name: str, wrong: dict[Any, int]) -> DataError:
    """The error for labels that are neither 0 nor 1.

    Args:
        name: Column of the label.
        wrong: Every such value, and how many rows have it.
    """
    value, num_rows = max(wrong, key=lambda value: wrong[value]), sum(wrong.values())
    example = "null" if value is None else value
    rows = "1 row" if num_rows == 1 else f"{num_rows} rows"
    return DataError(
        f"the label {name!r} is neither 0 nor 1 in {rows}, for example {example}; "
        "filter such rows out or choose another label"
    )


def is_label(value: Any) -> bool:
    """Whether a Python value is a label: 0, 1, or a boolean."""
    return isinstance(value, bool | int | float) and value in (0, 1)


class UserCodes:
    """Integer codes for users, the same in all tables of a split.

    Integers are kept; other users are numbered in order of appearance. A row without a user is its
    own group, which has only one class and so does not count in UAUC.

    Args:
        name: Name of the user column.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: Any = None
        self._num_nulls = 0

    def codes(self, column: Any) -> Codes:
        """int64 (N,) for a pyarrow column of N users.

        Raises:
            SchemaError: If the column holds lists, structs or maps.
        """
        array = plain(column)
        if pa.types.is_nested(array.type):
            raise SchemaError(
                f"the user {self._name!r} holds {array.type}; choose a column with one value "
                "per row"
            )
        nulls = array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        if pa.types.is_integer(array.type):
            filled = array.fill_null(0).to_numpy(zero_copy_only=False)
            codes = filled.astype(np.int64)  # unsigned ones may wrap around, but stay distinct
        else:
            codes = self._numbered(array)
        return self._null_groups(codes, nulls)

    def _numbered(self, array: Any) -> Codes:
        # binary stays as it is: it need not be UTF-8
        values = array.cast(pa.binary() if _is_binary(array.type) else pa.string())
        new = values.unique().drop_null()
        if self._seen is not None:
            new = new.filter(pc.invert(pc.is_in(new, value_set=self._seen)))
        self._seen = new if self._seen is None else pa.concat_arrays([self._seen, new])
        codes = pc.index_in(values, value_set=self._seen).fill_null(0)
        return np.asarray(codes.to_numpy(zero_copy_only=False), np.int64)

    def _null_groups(self, codes: Codes, nulls: Any) -> Codes:
        count = int(nulls.sum())
        group_codes = _NO_USER + self._num_nulls + np.arange(count, dtype=np.int64)
        self._num_nulls += count
        grouped = codes.copy()
        grouped[nulls] = group_codes
        return grouped


def _is_binary(kind: Any) -> bool:
    types = pa.types
    return bool(
        types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    )
