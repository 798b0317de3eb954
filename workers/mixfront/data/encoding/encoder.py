"""Raw rows to numbers: fitted on training rows, the same for training and for serving."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.data.dataset import ParquetDataset, check_columns
from mixfront.data.encoding.canonical import numbers
from mixfront.data.encoding.encoder_files import (
    EncoderState,
    content_digest,
    read_encoder,
    write_encoder,
)
from mixfront.data.encoding.event_times import encode_ages, seconds
from mixfront.data.encoding.fitting import start_fit
from mixfront.data.encoding.id_table import IdTable
from mixfront.data.encoding.labels import UserCodes, encode_label
from mixfront.data.encoding.numeric import NumericScaling
from mixfront.data.encoding.sequences import encode_sequence
from mixfront.data.schema import CategoricalFeature, NumericFeature, Schema, SequenceFeature
from mixfront.exceptions import SchemaError, nearest


@dataclass(frozen=True, kw_only=True)
class EncodedRows:
    """N rows of features; C categorical, M numeric fields, S the sequences' lengths together.

    A of these S are of sequences whose events have times.
    """

    ids: np.ndarray[Any, np.dtype[np.int32]]  # (N, C), rows of the fused table
    numeric: np.ndarray[Any, np.dtype[np.float32]]  # (N, M), scaled; NaN where null
    sequences: np.ndarray[Any, np.dtype[np.int32]]  # (N, S), a PAD row where there is nothing
    ages: np.ndarray[Any, np.dtype[np.float32]]  # (N, A) seconds; 0 where there is nothing


class Encoder:
    """Encodes raw rows by what was learnt from the training rows.

    Attributes:
        schema: What it was fitted for.
        layout: The fields, and the fused table's rows, that a model is built for.
        columns: Raw columns that it reads, in schema order; those of times behind them.
        digest: Changes with anything that changes an encoded value.
    """

    def __init__(self, state: EncoderState, tables: tuple[IdTable, ...]) -> None:
        self.schema: Schema = state.schema_
        self.state = state
        self.digest = content_digest(state, tables)
        self.columns = _columns(self.schema)
        self.layout = _layout(self.schema, tables)
        self._tables = tables

    @classmethod
    def fit(cls, dataset: ParquetDataset, schema: Schema, train: str | None = None) -> Self:
        """Learn vocabularies, scalings and buckets from the training rows alone.

        Args:
            dataset: The raw rows.
            schema: What their columns mean.
            train: Filter of the training rows; None means all.

        Raises:
            SchemaError: If a column is missing, or its type does not fit the schema.
            SpecError, DataError: As `ParquetDataset.scan`.
        """
        cls.check(schema, dataset)
        fit = start_fit(schema, dataset.schema)
        # with nothing to learn (hashes only) there is still the count, and the error of no rows
        for table in dataset.scan(train, fit.columns or [schema.label]):
            fit.update(table)
        return cls(*fit.finish(train))

    @classmethod
    def check(cls, schema: Schema, dataset: ParquetDataset) -> None:
        """Refuse missing columns, and types that `fit` or `encode` would refuse; reads no row.

        It fits and encodes a table without rows, so it cannot disagree with them.

        Raises:
            SchemaError: If a column is missing, or its type does not fit the schema.
        """
        check_columns(_all_columns(schema), dataset.schema, dataset.path)
        empty = dataset.schema.empty_table()
        fit = start_fit(schema, dataset.schema)
        fit.update(empty)
        encoder = cls(*fit.finish(None))
        encoder.encode(empty)
        encoder.encode_labels(empty)

    def encode(self, table: pa.Table) -> EncodedRows:
        """The features of raw rows, from Parquet, pandas or JSON alike.

        A column may be left out only where training rows had nulls in it.

        Raises:
            SchemaError: If a column is missing, or holds what its feature cannot be.
            DataError: If an event has no time where it should, or an absurd one.
        """
        num_rows = table.num_rows
        ids = np.empty((num_rows, len(self.layout.of_kind("categorical"))), np.int32)
        numeric = np.empty((num_rows, len(self.layout.of_kind("numeric"))), np.float32)
        id_at = number_at = 0
        for feature in self.schema.features:
            if isinstance(feature, SequenceFeature):
                continue
            column = self._column(table, feature.source)
            if feature.name in self._scaling_of:
                scaling = self._scaling_of[feature.name]
                numeric[:, number_at] = scaling.scale(numbers(column, feature.name))
                number_at += 1
            else:
                ids[:, id_at] = self._table_of[feature.name].rows(column)
                id_at += 1
        sequences, ages = self._sequences(table)
        return EncodedRows(ids=ids, numeric=numeric, sequences=sequences, ages=ages)

    def encode_labels(
        self, table: pa.Table
    ) -> tuple[np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.int64]]]:
        """Labels (N,) and users (N,) of raw rows; users are comparable within one table.

        Raises:
            DataError: If a label is neither 0 nor 1.
            SchemaError: If a column is missing.
        """
        check_columns([self.schema.label, self.schema.user], table.schema, "hand")
        label = encode_label(table[self.schema.label], self.schema.label)
        return label, UserCodes(self.schema.user).codes(table[self.schema.user])

    def save(self, url: str) -> None:
        """Write it to a folder: JSON and Parquet, which `load` reads anywhere."""
        write_encoder(url, self.state, self._tables, self.digest)

    @classmethod
    def load(cls, url: str) -> Self:
        """Read what `save` wrote.

        Raises:
            DataError: If the folder is missing, incomplete or changed since.
        """
        return cls(*read_encoder(url))

    def _sequences(self, table: pa.Table) -> tuple[Any, Any]:
        """Rows of the fused table (N, S), and ages (N, A)."""
        told = [f for f in self.schema.features if isinstance(f, SequenceFeature)]
        none = (table.num_rows, 0)
        rows, ages = [np.empty(none, np.int32)], [np.empty(none, np.float32)]
        for feature in told:
            column = self._column(table, feature.source)
            owner = self._table_of[feature.share or feature.name]
            rows.append(encode_sequence(column, feature.name, owner, feature.length, feature.keep))
            if feature.times is not None:
                ages.append(self._ages(table, column, feature, feature.times))
        return np.concatenate(rows, 1), np.concatenate(ages, 1)

    def _ages(self, table: pa.Table, column: Any, feature: SequenceFeature, times: str) -> Any:
        """(N, length)."""
        unit, time = self.schema.time_unit, self.schema.time
        assert time is not None  # the schema refuses times without it
        now = seconds(self._column(table, time), time, unit)
        return encode_ages(column, self._column(table, times), now, feature, unit)

    @cached_property
    def _table_of(self) -> dict[str, IdTable]:
        return {table.state.feature: table for table in self._tables}

    @cached_property
    def _scaling_of(self) -> dict[str, NumericScaling]:
        return {scaling.feature: scaling for scaling in self.state.scalings}

    def _column(self, table: pa.Table, name: str) -> Any:
        if name in table.column_names:
            return table[name]
        if name in self.state.optional_columns:
            return pa.nulls(table.num_rows)
        raise SchemaError(f"the rows have no column {name!r}: {nearest(name, table.column_names)}")


def _all_columns(schema: Schema) -> list[str]:
    times = [schema.time] if schema.time else []
    return [schema.label, schema.user, *times, *_columns(schema)]


def _columns(schema: Schema) -> tuple[str, ...]:
    """What the features are made of."""
    times = [f.times for f in schema.features if isinstance(f, SequenceFeature) and f.times]
    now = [schema.time] if times and schema.time else []
    return tuple(dict.fromkeys([*(f.source for f in schema.features), *times, *now]))


def _layout(schema: Schema, tables: tuple[IdTable, ...]) -> FeatureLayout:
    num_rows = sum(table.state.num_rows for table in tables)
    if num_rows >= 2**31:
        raise SchemaError(
            f"the embedding tables have {num_rows} rows together, more than 2^31; "
            "raise min_count, or set max_size or fewer buckets"
        )
    candidates = {f.name for f in schema.features if isinstance(f, CategoricalFeature)}
    fields = []
    for feature in schema.features:
        bucketed = isinstance(feature, NumericFeature) and feature.encoding == "buckets"
        share = feature.share if isinstance(feature, SequenceFeature) else None
        fields.append(
            FieldLayout(
                name=feature.name,
                domain=feature.domain,
                kind="categorical" if bucketed else feature.kind,
                length=feature.length if isinstance(feature, SequenceFeature) else 1,
                timed=isinstance(feature, SequenceFeature) and feature.times is not None,
                target=share if share in candidates else None,
            )
        )
    return FeatureLayout(
        fields=tuple(fields),
        num_rows=num_rows,
        pad_rows=tuple(table.pad_row for table in tables),
    )
