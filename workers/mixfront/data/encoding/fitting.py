"""Fits an encoder to the training rows, feature by feature, in one pass over their tables."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mixfront.data.encoding.canonical import Canonical, canonical, form_of, is_whole, numbers
from mixfront.data.encoding.encoder_files import EncoderState
from mixfront.data.encoding.id_table import IdTable, TableState
from mixfront.data.encoding.labels import count_labels, is_label
from mixfront.data.encoding.numeric import Moments, NumericScaling, QuantileSample, signed_log
from mixfront.data.encoding.sequences import items_of
from mixfront.data.encoding.vocabulary import ValueCounter
from mixfront.data.schema import CategoricalFeature, NumericFeature, Schema, SequenceFeature
from mixfront.exceptions import SchemaError


class TableFit(ABC):
    """Learns one embedding table."""

    @abstractmethod
    def update(self, column: Any) -> None:
        """Add a column of training rows."""

    @abstractmethod
    def finish(self, offset: int) -> IdTable:
        """The table; `offset` is its first row in the fused table."""


class _ValuesFit(TableFit):
    """A vocabulary or a hashed table of a categorical feature, or of a sequence's items."""

    def __init__(self, feature: CategoricalFeature | SequenceFeature, form: Canonical) -> None:
        self._feature = feature
        self._form = form
        self._whole = form == "float32"
        self._counter = ValueCounter(form) if feature.encoding == "vocabulary" else None

    def update(self, column: Any) -> None:
        if isinstance(self._feature, SequenceFeature):
            column, _ = items_of(column, self._feature.name)
        if self._counter is not None:
            self._counter.update(column)
        elif self._whole:
            self._whole = is_whole(canonical(column, self._form).values.drop_null())

    def finish(self, offset: int) -> IdTable:
        feature = self._feature
        null = feature.nulls if isinstance(feature, CategoricalFeature) else "own"
        if self._counter is None:
            form: Canonical = "int64" if self._whole else self._form
            state = TableState(
                feature=feature.name,
                kind="hash",
                form=form,
                size=feature.buckets or 1,
                offset=offset,
                null_row=null,
            )
            return IdTable(state, None)
        vocabulary = self._counter.vocabulary(feature.min_count, feature.max_size)
        state = TableState(
            feature=feature.name,
            kind="vocabulary",
            form=vocabulary.form,
            size=len(vocabulary),
            offset=offset,
            null_row=null,
        )
        return IdTable(state, vocabulary)


class _BucketsFit(TableFit):
    """Quantile buckets of a numeric feature."""

    def __init__(self, feature: NumericFeature) -> None:
        self._feature = feature
        self._sample = QuantileSample()
        self._moments = Moments()

    def update(self, column: Any) -> None:
        flat = numbers(column, self._feature.name)
        self._sample.update(flat)
        self._moments.update(flat)

    def finish(self, offset: int) -> IdTable:
        edges = self._sample.edges(self._feature.buckets)
        fill = {"own": None, "mean": self._moments.mean, "zero": 0.0}[self._feature.nulls]
        state = TableState(
            feature=self._feature.name,
            kind="buckets",
            form="float32",
            size=len(edges) + 1,
            offset=offset,
            edges=edges,
            fill=fill,
        )
        return IdTable(state, None)


class ScalingFit:
    """Mean and standard deviation of a numeric feature, of its logarithm with `encoding: log`."""

    def __init__(self, feature: NumericFeature) -> None:
        self._feature = feature
        self._moments = Moments()

    def update(self, column: Any) -> None:
        """Add a column of training rows."""
        flat = numbers(column, self._feature.name)
        self._moments.update(signed_log(flat) if self._feature.encoding == "log" else flat)

    def finish(self) -> NumericScaling:
        """The fitted scaling."""
        return NumericScaling(
            feature=self._feature.name,
            log=self._feature.encoding == "log",
            mean=self._moments.mean,
            deviation=self._moments.deviation,
            clip=self._feature.clip,
            nulls=self._feature.nulls,
        )


@dataclass
class EncoderFit:
    """All features of a schema during a fit."""

    schema: Schema
    tables: dict[str, TableFit]
    scalings: dict[str, ScalingFit]
    sources: dict[str, str]  # feature -> column
    optional: set[str]  # columns that had nulls
    num_rows: int = 0
    num_positive: int = 0

    @property
    def columns(self) -> list[str]:
        """The columns to read; sequences with a shared table have nothing to learn."""
        features = {self.sources[name] for name in (*self.tables, *self.scalings)}
        return sorted(features | {self.schema.label})

    def update(self, table: Any) -> None:
        """Add a `pyarrow.Table` of training rows."""
        self.num_rows += table.num_rows
        # Wrong labels are refused when the rows are encoded, which counts them all.
        labels = count_labels(table[self.schema.label], self.schema.label)
        self.num_positive += sum(n for value, n in labels.items() if is_label(value) and value)
        columns = (name for name in table.column_names if name != self.schema.label)
        self.optional |= {name for name in columns if table[name].null_count}
        for name, table_fit in self.tables.items():
            table_fit.update(table[self.sources[name]])
        for name, scaling in self.scalings.items():
            scaling.update(table[self.sources[name]])

    def finish(self, train: str | None) -> tuple[EncoderState, tuple[IdTable, ...]]:
        """The state and the tables of the fitted encoder.

        Args:
            train: Filter of the training rows.
        """
        tables: list[IdTable] = []
        for table in self.tables.values():
            offset = sum(previous.state.num_rows for previous in tables)
            tables.append(table.finish(offset))
        state = EncoderState(
            schema_=self.schema,
            train=train,
            num_rows=self.num_rows,
            num_positive=self.num_positive,
            tables=tuple(table.state for table in tables),
            scalings=tuple(scaling.finish() for scaling in self.scalings.values()),
            optional_columns=tuple(sorted(self.optional)),
        )
        return state, tuple(tables)


def start_fit(schema: Schema, columns: Any) -> EncoderFit:
    """Start to fit `schema` to a data set whose `pyarrow.Schema` is `columns`.

    Raises:
        SchemaError: If a column's type does not fit its feature's kind.
    """
    fit = EncoderFit(schema, {}, {}, {f.name: f.source for f in schema.features}, set())
    for feature in schema.features:
        kind = columns.field(feature.source).type
        if isinstance(feature, NumericFeature):
            if feature.encoding == "buckets":
                fit.tables[feature.name] = _BucketsFit(feature)
            else:
                fit.scalings[feature.name] = ScalingFit(feature)
        elif isinstance(feature, CategoricalFeature):
            _refuse_lists(kind, feature.name)
            fit.tables[feature.name] = _ValuesFit(feature, form_of(kind, feature.name))
        else:
            items, _ = items_of(pa.nulls(0, kind), feature.name)
            if feature.share is None:
                fit.tables[feature.name] = _ValuesFit(feature, form_of(items.type, feature.name))
    return fit


def _refuse_lists(kind: Any, name: str) -> None:
    if pa.types.is_nested(kind):
        raise SchemaError(
            f"the feature {name!r} is categorical but its column holds {kind}; make it a sequence"
        )
