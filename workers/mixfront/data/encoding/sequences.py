"""Truncates and pads lists of values to a rectangle of ids."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from mixfront.data.encoding.canonical import form_of, plain
from mixfront.data.encoding.id_ranges import Rows
from mixfront.data.encoding.id_table import IdTable
from mixfront.exceptions import SchemaError


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is a kind of list."""
    types = pa.types
    plain = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(plain or types.is_list_view(kind) or types.is_large_list_view(kind))


def items_of(column: Any, feature: str) -> tuple[Any, np.ndarray[Any, np.dtype[np.int64]]]:
    """All items of a list column, concatenated, and the number per row (N,).

    Raises:
        SchemaError: If the column does not hold lists.
    """
    array = plain(column)
    if pa.types.is_null(array.type):
        return pa.nulls(0), np.zeros(len(array), np.int64)
    if not is_list(array.type):
        raise SchemaError(
            f"the feature {feature!r} is a sequence but its column holds {array.type}; "
            "give lists, or make it categorical"
        )
    lengths = array.value_lengths()
    known = lengths.fill_null(0) if array.null_count else lengths
    return array.flatten(), known.to_numpy().astype(np.int64)


@dataclass(frozen=True)
class Cut:
    """Which items of N lists are kept, and where in a rectangle (N, length) they go."""

    filled: np.ndarray[Any, np.dtype[np.bool_]]  # (N, length)
    items: np.ndarray[Any, np.dtype[np.int64]] | None  # indices of the kept items; None means all

    def kept(self, values: Any) -> Any:
        """The kept elements, row by row, of a pyarrow or NumPy array with one element per item."""
        return values if self.items is None else values.take(self.items)

    def spread(self, kept: Any, padding: Any) -> np.ndarray[Any, np.dtype[Any]]:
        """One value per kept item -> (N, length), followed by `padding`."""
        spread = np.full(self.filled.shape, padding, kept.dtype)
        spread[self.filled] = kept
        return spread


def cut_lists(
    lengths: np.ndarray[Any, np.dtype[np.int64]], length: int, keep: Literal["last", "first"]
) -> Cut:
    """Keep the last or first `length` items of lists that are concatenated."""
    kept = np.minimum(lengths, length)
    filled = np.arange(length) < kept[:, None]
    if kept.sum() == lengths.sum():
        return Cut(filled, None)
    ends = np.cumsum(lengths)
    starts = ends - kept if keep == "last" else ends - lengths
    place = starts[:, None] + np.arange(length)
    return Cut(filled, place[filled])


def encode_sequence(
    column: Any, feature: str, table: IdTable, length: int, keep: Literal["last", "first"]
) -> Rows:
    """The last or first `length` items of every list as rows (N, length), then PAD."""
    items, lengths = items_of(column, feature)
    form_of(items.type, feature)  # refuses items that cannot be ids
    cut = cut_lists(lengths, length, keep)
    return cut.spread(table.rows(cut.kept(items), feature), table.pad_row)
