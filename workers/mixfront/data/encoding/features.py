"""Encodes raw columns as the features of a model, with fitted tables and scalings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mixfront.data.encoding.canonical import numbers
from mixfront.data.encoding.event_times import encode_ages, seconds
from mixfront.data.encoding.id_ranges import IdRangeLookup
from mixfront.data.encoding.id_table import IdTable
from mixfront.data.encoding.numeric import NumericScaling
from mixfront.data.encoding.sequences import encode_sequence
from mixfront.data.schema import Schema, SequenceFeature

Array = np.ndarray[Any, np.dtype[Any]]
Columns = Mapping[str, Any]  # pyarrow arrays, chunked or not


@dataclass(frozen=True, kw_only=True)
class EncodedRows:
    """N rows of features, of C categorical and M numeric fields.

    S is the total length of all sequences, and A that of the sequences with times.
    """

    ids: np.ndarray[Any, np.dtype[np.int32]]  # (N, C), rows of the fused table
    numeric: np.ndarray[Any, np.dtype[np.float32]]  # (N, M), scaled; NaN where null
    sequences: np.ndarray[Any, np.dtype[np.int32]]  # (N, S), padded with the PAD row
    ages: np.ndarray[Any, np.dtype[np.float32]]  # (N, A) seconds, padded with 0


@dataclass(frozen=True)
class _RangeColumns:
    """The lookup of all columns with ids from a narrow range."""

    ids: IdRangeLookup
    at: list[int]  # positions among the categorical fields
    sources: Sequence[str]  # Parquet columns
    features: Sequence[str]


class FeatureEncoder:
    """Encodes columns feature by feature, and all close ids at once.

    Args:
        schema: The features, in the order of the encoded fields.
        tables: Tables of the features that have their own.
        scalings: Scalings of the numeric features without a table.
    """

    def __init__(
        self, schema: Schema, tables: Sequence[IdTable], scalings: Sequence[NumericScaling]
    ) -> None:
        self._schema = schema
        self._tables = {table.state.feature: table for table in tables}
        scaling_of = {scaling.feature: scaling for scaling in scalings}
        features = schema.features
        self._sequences = [f for f in features if isinstance(f, SequenceFeature)]
        self._scaled = [(f.source, scaling_of[f.name]) for f in features if f.name in scaling_of]
        self._ids = [
            (f.source, self._tables[f.name])
            for f in features
            if f.name in self._tables and not isinstance(f, SequenceFeature)
        ]

    def encode(self, columns: Columns, num_rows: int) -> EncodedRows:
        """The features of N rows.

        Raises:
            SchemaError: If a column's values do not fit its feature.
            DataError: If an event of a timed sequence has no time, or an impossible one.
        """
        sequences, ages = self._encode_sequences(columns, num_rows)
        return EncodedRows(
            ids=self._encode_ids(columns, num_rows),
            numeric=self._encode_numbers(columns, num_rows),
            sequences=sequences,
            ages=ages,
        )

    def _encode_ids(self, columns: Columns, num_rows: int) -> Array:
        """Rows of the fused table (N, C)."""
        ids = np.empty((num_rows, len(self._ids)), np.int32)
        for at, (source, table) in enumerate(self._ids):
            if table.id_range is None:
                ids[:, at] = table.rows(columns[source])
        if (narrow := self._range_columns) is not None:
            ids[:, narrow.at] = narrow.ids.rows(
                [columns[s] for s in narrow.sources], narrow.features
            ).T
        return ids

    @cached_property
    def _range_columns(self) -> _RangeColumns | None:
        """All tables with narrow ids; built on first use, because cached rows need no encoding."""
        entries = [(at, s, t, t.id_range) for at, (s, t) in enumerate(self._ids) if t.id_range]
        if not entries:
            return None
        at, sources, tables, ranges = zip(*entries, strict=True)
        return _RangeColumns(
            IdRangeLookup(ranges), list(at), sources, [t.state.feature for t in tables]
        )

    def _encode_numbers(self, columns: Columns, num_rows: int) -> Array:
        """Scaled numbers (N, M)."""
        numeric = np.empty((num_rows, len(self._scaled)), np.float32)
        for at, (source, scaling) in enumerate(self._scaled):
            numeric[:, at] = scaling.scale(numbers(columns[source], scaling.feature))
        return numeric

    def _encode_sequences(self, columns: Columns, num_rows: int) -> tuple[Array, Array]:
        """Rows of the fused table (N, S), and ages (N, A)."""
        none = (num_rows, 0)
        rows, ages = [np.empty(none, np.int32)], [np.empty(none, np.float32)]
        for feature in self._sequences:
            column = columns[feature.source]
            owner = self._tables[feature.share or feature.name]
            rows.append(encode_sequence(column, feature.name, owner, feature.length, feature.keep))
            if feature.times is not None:
                ages.append(self._ages(columns, feature, feature.times))
        return np.concatenate(rows, 1), np.concatenate(ages, 1)

    def _ages(self, columns: Columns, feature: SequenceFeature, times: str) -> Array:
        """Ages (N, length) of one sequence."""
        unit, time = self._schema.time_unit, self._schema.time
        assert time is not None  # the schema refuses `times` without `time`
        now = seconds(columns[time], time, unit)
        return encode_ages(columns[feature.source], columns[times], now, feature, unit)
