"""Labels and users of rows: checked, and as numbers."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixfront.data.encoding.canonical import plain
from mixfront.exceptions import DataError

Codes = np.ndarray[Any, np.dtype[np.int64]]
_NO_USER = np.iinfo(np.int64).min


def encode_label(column: Any, name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A label column as float32 (N,) of 0 and 1.

    Raises:
        DataError: If a value is neither 0 nor 1; gives the value and how many rows are wrong.
    """
    counts = pc.value_counts(column).to_pylist()
    wrong = {str(c["values"]): c["counts"] for c in counts if not is_label(c["values"])}
    if wrong:
        example = max(wrong, key=lambda value: wrong[value])
        raise wrong_label(name, example, sum(wrong.values()))
    return np.asarray(column.cast(pa.float32()).to_numpy(), np.float32)


def wrong_label(name: str, example: str, num_rows: int) -> DataError:
    """The error for labels that are neither 0 nor 1."""
    value = "null" if example == "None" else example
    rows = "1 row" if num_rows == 1 else f"{num_rows} rows"
    return DataError(
        f"the label {name!r} is neither 0 nor 1 in {rows}, for example {value}; "
        "filter such rows out or choose another label"
    )


def is_label(value: Any) -> bool:
    """Whether a Python value is a label: 0, 1, or a boolean."""
    return isinstance(value, bool | int | float) and value in (0, 1)


class UserCodes:
    """Numbers for users, one number a user, over as many tables as a split has.

    Whole numbers stay what they are; anything else is numbered in the order of appearance. A row
    without a user is a group of its own, which has one class and so counts in no UAUC.
    """

    def __init__(self) -> None:
        self._seen: Any = None
        self._num_nulls = 0

    def codes(self, column: Any) -> Codes:
        """int64 (N,) for a pyarrow column of N users."""
        array = plain(column)
        nulls = array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        if pa.types.is_integer(array.type):
            filled = array.fill_null(0).to_numpy(zero_copy_only=False)
            codes = filled.astype(np.int64)  # unsigned ones may wrap: still one for each
        else:
            codes = self._numbered(array)
        return self._apart(codes, nulls)

    def _numbered(self, array: Any) -> Codes:
        texts = array.cast(pa.string())
        new = texts.unique().drop_null()
        if self._seen is not None:
            new = new.filter(pc.invert(pc.is_in(new, value_set=self._seen)))
        self._seen = new if self._seen is None else pa.concat_arrays([self._seen, new])
        found = pc.index_in(texts, value_set=self._seen).fill_null(0)
        return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)

    def _apart(self, codes: Codes, nulls: Any) -> Codes:
        count = int(nulls.sum())
        own = _NO_USER + self._num_nulls + np.arange(count, dtype=np.int64)
        self._num_nulls += count
        apart = codes.copy()
        apart[nulls] = own
        return apart
