"""One embedding table's part of the encoder: values of a column to rows of the fused table.

A table's first rows are PAD, UNKNOWN and NULL; then come its values, hash or quantile buckets.
"""

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mixfront.data.batch import NULL, PAD, RESERVED_ROWS, UNKNOWN
from mixfront.data.encoding.canonical import Canonical, canonical, numbers
from mixfront.data.encoding.hashing import hash_values
from mixfront.data.encoding.vocabulary import Vocabulary

Rows = np.ndarray[Any, np.dtype[np.int32]]


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

    def rows(self, column: Any) -> Rows:
        """Rows (N,) int32 of the fused table for a pyarrow column of N values."""
        if self.state.kind == "buckets":
            return self._bucket_rows(column)
        given = canonical(column, self.state.form)
        index = self._index(given.values)
        local = np.where(index < 0, UNKNOWN, index + RESERVED_ROWS)
        null = NULL if self.state.null_row == "own" else UNKNOWN
        return np.where(given.nulls, null, local).astype(np.int32) + np.int32(self.state.offset)

    def _index(self, values: Any) -> np.ndarray[Any, np.dtype[np.signedinteger[Any]]]:
        if self.vocabulary is not None:
            return self.vocabulary.index(values)
        buckets = (hash_values(values) % np.uint64(self.state.size)).astype(np.int64)
        return np.where(values.is_valid().to_numpy(zero_copy_only=False), buckets, -1)

    def _bucket_rows(self, column: Any) -> Rows:
        flat = numbers(column, self.state.feature)
        if self.state.fill is not None:
            flat = np.where(np.isnan(flat), self.state.fill, flat)
        bucket = np.searchsorted(np.asarray(self.state.edges), flat, side="left")
        local = np.where(np.isnan(flat), NULL, bucket + RESERVED_ROWS)
        return local.astype(np.int32) + np.int32(self.state.offset)
