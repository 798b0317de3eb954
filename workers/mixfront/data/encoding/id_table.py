"""One embedding table in the encoder: maps values of a column to rows of the fused table.

A table's first rows are PAD, UNKNOWN and NULL; then come its values, hash or quantile buckets.
"""

from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mixfront.data.batch import NULL, PAD, RESERVED_ROWS, UNKNOWN
from mixfront.data.encoding.canonical import Canonical, numbers, readable
from mixfront.data.encoding.hashing import hash_values
from mixfront.data.encoding.id_ranges import IdRange, IdRangeLookup, Rows, make_id_range
from mixfront.data.encoding.vocabulary import Vocabulary


class TableState(BaseModel):
    """Everything about a table except the values of its vocabulary."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str  # the feature that owns the table; sequences may share it
    kind: Literal["vocabulary", "hash", "buckets"]
    form: Canonical  # of the values; not used for buckets
    size: int  # rows after the reserved ones
    offset: int  # its first row in the fused table
    null_row: Literal["own", "unknown"] = "own"
    edges: tuple[float, ...] = ()  # between buckets
    fill: float | None = None  # replaces null numbers before they are put into buckets

    @property
    def num_rows(self) -> int:
        """All rows, including the reserved ones."""
        return RESERVED_ROWS + self.size


class IdTable:
    """Encodes values into rows of the fused embedding table."""

    def __init__(self, state: TableState, vocabulary: Vocabulary | None) -> None:
        self.state = state
        self.vocabulary = vocabulary

    @property
    def pad_row(self) -> int:
        """The row for padding."""
        return self.state.offset + PAD

    @property
    def null_row(self) -> int:
        """The row for nulls."""
        return self.state.offset + (NULL if self.state.null_row == "own" else UNKNOWN)

    @cached_property
    def id_range(self) -> IdRange | None:
        """Its rows by id, if its values are integers from a narrow range."""
        vocabulary, state = self.vocabulary, self.state
        if vocabulary is None or vocabulary.form != "int64" or not len(vocabulary):
            return None
        rows = np.arange(len(vocabulary), dtype=np.int32) + (state.offset + RESERVED_ROWS)
        unknown = state.offset + UNKNOWN
        return make_id_range(
            vocabulary.values.to_numpy(), rows, unknown=unknown, null=self.null_row
        )

    @cached_property
    def _lookup(self) -> IdRangeLookup | None:
        return IdRangeLookup([self.id_range]) if self.id_range is not None else None

    def rows(self, column: Any, feature: str | None = None) -> Rows:
        """Rows (N,) int32 of the fused table for a pyarrow column of N values.

        Args:
            column: The values.
            feature: The feature of the column; by default the owner of the table.

        Raises:
            SchemaError: If its values do not fit the feature.
        """
        feature = feature or self.state.feature
        if self.state.kind == "buckets":
            return self._bucket_rows(column, feature)
        if self._lookup is not None:
            return np.asarray(self._lookup.rows([column], [feature])[0])
        converted = readable(column, self.state.form, feature)
        index = self._index(converted.values)
        rows = index.astype(np.int32) + np.int32(self.state.offset + RESERVED_ROWS)
        rows[index < 0] = self.state.offset + UNKNOWN
        rows[converted.nulls] = self.null_row
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
