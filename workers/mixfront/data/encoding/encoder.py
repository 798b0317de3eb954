"""Encodes raw rows as numbers: fitted on training rows, the same for training and serving."""

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.data.dataset import ParquetDataset, check_columns
from mixfront.data.encoding.encoder_files import (
    EncoderState,
    content_digest,
    read_encoder,
    write_encoder,
)
from mixfront.data.encoding.features import EncodedRows, FeatureEncoder
from mixfront.data.encoding.fitting import start_fit
from mixfront.data.encoding.id_table import IdTable
from mixfront.data.encoding.labels import UserCodes, encode_label
from mixfront.data.encoding.raw_columns import column_names, raw_columns
from mixfront.data.schema import CategoricalFeature, NumericFeature, Schema, SequenceFeature
from mixfront.exceptions import SchemaError, nearest

if TYPE_CHECKING:
    import pandas as pd


class Encoder:
    """Encodes raw rows with vocabularies and scalings of the training rows.

    Attributes:
        schema: The schema that it was fitted for.
        layout: The fields, and the fused table's rows, that a model is built for.
        columns: Raw columns that it reads: those of features in schema order, then those of times.
        digest: Changes with anything that changes an encoded value.
    """

    def __init__(self, state: EncoderState, tables: tuple[IdTable, ...]) -> None:
        self.schema: Schema = state.schema_
        self.state = state
        self.digest = content_digest(state, tables)
        self.columns = _columns(self.schema)
        self.layout = _layout(self.schema, tables)
        self._tables = tables
        self._features = FeatureEncoder(self.schema, tables, state.scalings)

    @classmethod
    def fit(cls, dataset: ParquetDataset, schema: Schema, train: str | None = None) -> Self:
        """Learn vocabularies, scalings and buckets only from the training rows.

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
        for table in dataset.scan(train, fit.columns):
            fit.update(table)
        return cls(*fit.finish(train))

    @property
    def label_log_odds(self) -> float:
        """Log-odds of a positive label in the training rows; 0 if they have only one class."""
        positive = self.state.num_positive or 0
        negative = self.state.num_rows - positive
        return math.log(positive / negative) if positive and negative else 0.0

    @classmethod
    def check(cls, schema: Schema, dataset: ParquetDataset) -> None:
        """Refuse missing columns, and types that `fit` or `encode` would refuse; reads no row.

        It fits and encodes a table without rows, so it always agrees with them.

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

    def encode(self, rows: "pa.Table | pd.DataFrame") -> EncodedRows:
        """Encode raw rows that come from Parquet, pandas or JSON.

        A column may be missing only if it had nulls in the training rows. Columns that no feature
        uses are ignored.

        Raises:
            SchemaError: If a column is missing, or its values do not fit the feature.
            DataError: If an event of a timed sequence has no time, or an impossible one.
        """
        columns = raw_columns(rows, self.columns)
        for name in self.columns:
            if name in columns:
                continue
            if name not in self.state.optional_columns:
                names = map(str, column_names(rows))
                raise SchemaError(f"the rows have no column {name!r}: {nearest(name, names)}")
            columns[name] = pa.nulls(len(rows))
        return self._features.encode(columns, len(rows))

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
        """Write it to a folder as JSON and Parquet, which `load` reads on any machine."""
        write_encoder(url, self.state, self._tables, self.digest)

    @classmethod
    def load(cls, url: str) -> Self:
        """Read an encoder that `save` wrote.

        Raises:
            DataError: If the folder is missing or incomplete, or was changed.
        """
        return cls(*read_encoder(url))


def _all_columns(schema: Schema) -> list[str]:
    times = [schema.time] if schema.time else []
    return [schema.label, schema.user, *times, *_columns(schema)]


def _columns(schema: Schema) -> tuple[str, ...]:
    """The columns that the features are read from."""
    times = [f.times for f in schema.features if isinstance(f, SequenceFeature) and f.times]
    row_time = [schema.time] if times and schema.time else []
    return tuple(dict.fromkeys([*(f.source for f in schema.features), *times, *row_time]))


def _layout(schema: Schema, tables: tuple[IdTable, ...]) -> FeatureLayout:
    num_rows = sum(table.state.num_rows for table in tables)
    if num_rows >= 2**31:
        raise SchemaError(
            f"the embedding tables have {num_rows} rows in total, 2^31 or more; "
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
