"""One embedding table's part of the encoder: values of a column to rows of the fused table.

A table's first rows are PAD, UNKNOWN and NULL; then come its values, hash or quantile buckets.
"""

from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mixfront.data.batch import NULL, PAD, RESERVED_ROWS, UNKNOWN
from mixfront.data.encoding.canonical import Canonical, numbers, readable
from mixfront.data.encoding.close_ids import CloseIds, Places, Rows, place_ids
from mixfront.data.encoding.hashing import hash_values
from mixfront.data.encoding.vocabulary import Vocabulary


class TableState(BaseModel):
    """What identifies a table, without the values of its vocabulary."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str  # whose table it is; sequences may share it
    kind: Literal["vocabulary", "hash", "buckets"]
    form: Canonical  # of the values; of no account for buckets
    size: int  # rows after the reserved ones
    offset: int  # its first row in the fused table
    null_row: Literal["own", "unknown"] = "own"
    edges: tuple[float, ...] = ()  # of buckets
    fill: float | None = None  # what a null number becomes before it is put into a bucket

    @property
    def num_rows(self) -> int:
        """All rows, the reserved ones included."""
        return RESERVED_ROWS + self.size


class IdTable:
    """Encodes values into rows of the fused embedding table."""

    def __init__(self, state: TableState, vocabulary: Vocabulary | None) -> None:
        self.state = state
        self.vocabulary = vocabulary

    @property
    def pad_row(self) -> int:
        """The row that stands for nothing at all."""
        return self.state.offset + PAD

    @property
    def null_row(self) -> int:
        """The row of a null."""
        return self.state.offset + (NULL if self.state.null_row == "own" else UNKNOWN)

    @cached_property
    def places(self) -> Places | None:
        """Its rows by id, if its values are whole numbers that lie close together."""
        vocabulary, state = self.vocabulary, self.state
        if vocabulary is None or vocabulary.form != "int64" or not len(vocabulary):
            return None
        rows = np.arange(len(vocabulary), dtype=np.int32) + (state.offset + RESERVED_ROWS)
        unknown = state.offset + UNKNOWN
        return place_ids(vocabulary.values.to_numpy(), rows, unknown=unknown, null=self.null_row)

    @cached_property
    def _close(self) -> CloseIds | None:
        return CloseIds([self.places]) if self.places is not None else None

    def rows(self, column: Any, feature: str | None = None) -> Rows:
        """Rows (N,) int32 of the fused table for a pyarrow column of N values.

        Args:
            column: The values.
            feature: Whose column it is; the table's own by default.

        Raises:
            SchemaError: If it holds what the feature cannot be.
        """
        feature = feature or self.state.feature
        if self.state.kind == "buckets":
            return self._bucket_rows(column, feature)
        if self._close is not None:
            return np.asarray(self._close.rows([column], [feature])[0])
        given = readable(column, self.state.form, feature)
        index = self._index(given.values)
        rows = index.astype(np.int32) + np.int32(self.state.offset + RESERVED_ROWS)
        rows[index < 0] = self.state.offset + UNKNOWN
        rows[given.nulls] = self.null_row
        return rows

    def _index(self, values: Any) -> np.ndarray[Any, np.dtype[np.signedinteger[Any]]]:
        if self.vocabulary is not None:
            return self.vocabulary.index(values)
        buckets = (hash_values(values) % np.uint64(self.state.size)).astype(np.int64)
        return np.where(values.is_valid().to_numpy(zero_copy_only=False), buckets, -1)

    def _bucket_rows(self, column: Any, feature: str) -> Rows:
        flat = numbers(column, feature)
        if self.state.fill is not None:
            flat = np.where(np.isnan(flat), self.state.fill, flat)
        bucket = np.searchsorted(self._edges, flat, side="left").astype(np.int32)
        rows = bucket + np.int32(self.state.offset + RESERVED_ROWS)
        rows[np.isnan(flat)] = self.state.offset + NULL
        return rows

    @cached_property
    def _edges(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.asarray(self.state.edges, np.float64)
