"""Whole-number ids that lie close together: looked up in arrays, many columns at once.

Most columns of a served row are such ids. One at a time, their overhead takes longer than the
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
class Places:
    """Rows of the fused table by id."""

    first: int  # id of the first row
    rows: Rows  # of the ids from `first` on, and one more: of every other id
    null_row: int


def place_ids(ids: Ids, rows: Rows, *, unknown: int, null: int) -> Places | None:
    """Places of ids (K,) with their rows (K,); None if an array of them would be mostly holes."""
    first, last = int(ids.min()), int(ids.max())
    if last - first > 8 * len(ids) + 65_536:
        return None
    table = np.full(last - first + 2, unknown, np.int32)
    table[ids - first] = rows
    return Places(first, table, null)


class CloseIds:
    """Looks up columns, each in places of its own.

    Args:
        places: For each of C columns.
    """

    def __init__(self, places: Sequence[Places]) -> None:
        self._places = tuple(places)
        self._first = np.array([[p.first] for p in places], np.int64).view(np.uint64)
        self._last = np.array([[len(p.rows) - 1] for p in places], np.uint64)

    def rows(self, columns: Sequence[Any], features: Sequence[str]) -> Rows:
        """Rows (C, N) of the fused table.

        Args:
            columns: C columns of N ids each, of pyarrow or NumPy.
            features: Whose they are.

        Raises:
            SchemaError: If a column holds what cannot be ids; names its feature.
        """
        ids, special = _whole_numbers(columns, features)
        # What lies below the first id wraps to a huge number: it falls on the last entry too.
        distance = ids.view(np.uint64)
        distance -= self._first
        np.minimum(distance, self._last, out=distance)
        rows = np.empty(ids.shape, np.int32)
        for at, places in enumerate(self._places):
            rows[at] = places.rows[ids[at]]
        for at, (known, nulls) in special.items():
            rows[at, ~known] = self._places[at].rows[-1]
            rows[at, nulls] = self._places[at].null_row
        return rows


def _whole_numbers(
    columns: Sequence[Any], features: Sequence[str]
) -> tuple[Ids, dict[int, tuple[Mask, Mask]]]:
    """Columns as int64 (C, N); by column that has others, where numbers are, and where nulls."""
    ids = np.empty((len(columns), len(columns[0])), np.int64)
    special: dict[int, tuple[Mask, Mask]] = {}
    floats: dict[int, Any] = {}
    for at, column in enumerate(columns):
        numbers = _numbers(column)
        if numbers is None:
            given = readable(column, "int64", features[at])
            ids[at] = given.values.fill_null(0).to_numpy()
            special[at] = given.values.is_valid().to_numpy(zero_copy_only=False), given.nulls
        elif numbers.dtype.kind == "f":  # pandas has no other integers beside nulls
            floats[at] = numbers
        else:
            ids[at] = numbers
    if floats:
        flat = np.stack(list(floats.values()), dtype=np.float64)
        ids[list(floats)], known = whole(flat)
        special |= zip(floats, zip(known, np.isnan(flat), strict=True), strict=True)
    return ids, special


def _numbers(column: Any) -> Any:
    """A column that NumPy can hold exactly as it is; None if it cannot."""
    if isinstance(column, np.ndarray):
        return column
    array = plain(column)
    exact = pa.types.is_integer(array.type) and array.null_count == 0
    return array.to_numpy() if exact else None
