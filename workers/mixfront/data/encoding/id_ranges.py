"""Looks up integer ids from a narrow range in arrays, many columns at once.

Most columns of a served row hold such ids. Looking them up column by column takes longer than the
model does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from mixfront.data.encoding.canonical import Mask, plain, readable, whole

Rows = np.ndarray[Any, np.dtype[np.int32]]
Ids = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class IdRange:
    """Rows of the fused table for a narrow range of ids."""

    first: int  # the smallest id
    rows: Rows  # of the ids from `first` on; the last entry is for all other ids
    null_row: int


def make_id_range(ids: Ids, rows: Rows, *, unknown: int, null: int) -> IdRange | None:
    """The range of ids (K,) with rows (K,); None if the ids are too far apart for an array."""
    first, last = int(ids.min()), int(ids.max())
    if last - first > 8 * len(ids) + 65_536:
        return None
    table = np.full(last - first + 2, unknown, np.int32)
    table[ids - first] = rows
    return IdRange(first, table, null)


class IdRangeLookup:
    """Looks up C columns at once, each in its own `IdRange`.

    Args:
        ranges: One per column.
    """

    def __init__(self, ranges: Sequence[IdRange]) -> None:
        self._ranges = tuple(ranges)
        self._first = np.array([[r.first] for r in ranges], np.int64).view(np.uint64)
        self._last = np.array([[len(r.rows) - 1] for r in ranges], np.uint64)

    def rows(self, columns: Sequence[Any], features: Sequence[str]) -> Rows:
        """Rows (C, N) of the fused table.

        Args:
            columns: C arrays of N ids each, pyarrow or NumPy.
            features: The feature of each column.

        Raises:
            SchemaError: If a column's values cannot be ids; the message names its feature.
        """
        ids, special = _whole_numbers(columns, features)
        # Ids below the first one wrap to huge numbers, so they get the last entry, too.
        distance = ids.view(np.uint64)
        distance -= self._first
        np.minimum(distance, self._last, out=distance)
        rows = np.empty(ids.shape, np.int32)
        for at, id_range in enumerate(self._ranges):
            rows[at] = id_range.rows[ids[at]]
        for at, (known, nulls) in special.items():
            rows[at, ~known] = self._ranges[at].rows[-1]
            rows[at, nulls] = self._ranges[at].null_row
        return rows


def _whole_numbers(
    columns: Sequence[Any], features: Sequence[str]
) -> tuple[Ids, dict[int, tuple[Mask, Mask]]]:
    """Columns as int64 (C, N); for columns with other values, masks of whole numbers and nulls."""
    ids = np.empty((len(columns), len(columns[0])), np.int64)
    special: dict[int, tuple[Mask, Mask]] = {}
    floats: dict[int, Any] = {}
    for at, column in enumerate(columns):
        numbers = _numbers(column)
        if numbers is None:
            converted = readable(column, "int64", features[at])
            ids[at] = converted.values.fill_null(0).to_numpy()
            known = converted.values.is_valid().to_numpy(zero_copy_only=False)
            special[at] = known, converted.nulls
        elif numbers.dtype.kind == "f":  # pandas stores integers with nulls as floats
            floats[at] = numbers
        else:
            ids[at] = numbers
    if floats:
        flat = np.stack(list(floats.values()), dtype=np.float64)
        ids[list(floats)], are_whole = whole(flat)
        special |= zip(floats, zip(are_whole, np.isnan(flat), strict=True), strict=True)
    return ids, special


def _numbers(column: Any) -> Any:
    """The column as a NumPy array, if NumPy can represent it exactly; else None."""
    if isinstance(column, np.ndarray):
        return column
    array = plain(column)
    exact = pa.types.is_integer(array.type) and array.null_count == 0
    return array.to_numpy() if exact else None
