"""Known values of a feature: counted over the training rows, then looked up."""

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixfront.data.encoding.canonical import Canonical, canonical, is_whole

Index = np.ndarray[Any, np.dtype[np.int32]]
Hashes = np.ndarray[Any, np.dtype[np.int64]]

_TYPES: dict[Canonical, Any] = {
    "int64": pa.int64(),
    "float32": pa.float32(),
    "string": pa.string(),
}
_FORMS = {kind: form for form, kind in _TYPES.items()}
_COMPACT_AT = 2_000_000  # distinct values that are counted before the counts are merged
# Arrow hashes the whole vocabulary even to look up one string: 300 ms for a million strings.
# A vocabulary larger than this keeps its own hashes between calls.
_SMALL = 1000
_FEW = 64  # for at most this many strings, a dict of a small vocabulary is faster


class ValueCounter:
    """Counts the values of one column, table by table."""

    def __init__(self, form: Canonical) -> None:
        self._form = form
        self._parts: list[Any] = []
        self._waiting = 0

    def update(self, column: Any) -> None:
        """Count the values of an array; nulls are left out."""
        values = canonical(column, self._form).values.drop_null().cast(_TYPES[self._form])
        counts = values.value_counts()
        self._parts.append(
            pa.table({"value": counts.field("values"), "count": counts.field("counts")})
        )
        self._waiting += len(counts)
        if self._waiting > _COMPACT_AT:
            self._parts = [self._merged()]
            self._waiting = self._parts[0].num_rows // 2  # merge again only after real growth

    def vocabulary(self, min_count: int, max_size: int | None) -> "Vocabulary":
        """Values with at least `min_count` rows, the most frequent first, ties by value."""
        counts = self._merged()
        kept = counts.filter(pc.greater_equal(counts["count"], min_count))
        kept = kept.sort_by([("count", "descending"), ("value", "ascending")])
        values = kept["value"].combine_chunks()
        return Vocabulary(_whole_if_possible(values[:max_size] if max_size else values))

    def _merged(self) -> Any:
        if not self._parts:
            empty = pa.array([], _TYPES[self._form])
            return pa.table({"value": empty, "count": pa.array([], pa.int64())})
        merged = pa.concat_tables(self._parts).group_by("value").aggregate([("count", "sum")])
        return merged.rename_columns({"count_sum": "count"})


def _whole_if_possible(values: Any) -> Any:
    """Convert ids that pandas stored as floats (because of a null) back to integers."""
    if pa.types.is_floating(values.type) and is_whole(values):
        return values.cast(pa.int64())
    return values


class Vocabulary:
    """Values in a fixed order; a value's index is its position."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    @property
    def form(self) -> Canonical:
        """The form that looked-up values must have."""
        return _FORMS[self.values.type]

    def index(self, values: Any) -> Index:
        """The index (N,) of every value of a canonical pyarrow array; -1 if unknown or null."""
        if len(self) == 0:
            return np.full(len(values), -1, np.int32)
        if self.form == "string":
            return self._index_texts(values)
        if values.null_count == 0:
            return self._index_numbers(values.to_numpy())
        index = self._index_numbers(values.fill_null(0).to_numpy())
        return np.where(values.is_valid().to_numpy(zero_copy_only=False), index, np.int32(-1))

    def _index_texts(self, values: Any) -> Index:
        if len(self) > max(_SMALL, 2 * len(values)) and self._hashed is not None:
            return self._index_hashed(values, *self._hashed)
        if len(self) <= _SMALL and len(values) <= _FEW:
            places = self._place_of
            return np.array([places.get(text, -1) for text in values.to_pylist()], np.int32)
        index = pc.index_in(values.cast(pa.string()), value_set=self.values)
        return np.asarray((index.fill_null(-1) if index.null_count else index).to_numpy())

    def _index_hashed(self, values: Any, ordered: Hashes, order: Index) -> Index:
        place = np.minimum(np.searchsorted(ordered, _hashes(values)), len(ordered) - 1)
        likely = order[place]
        texts = values.cast(pa.string())
        same = pc.equal(self.values.take(pa.array(likely)), texts).fill_null(False)
        return np.where(same.to_numpy(zero_copy_only=False), likely, np.int32(-1))

    def _index_numbers(self, flat: Any) -> Index:
        ordered, order = self._sorted
        place = np.minimum(np.searchsorted(ordered, flat), len(ordered) - 1)
        return np.where(ordered[place] == flat, order[place], np.int32(-1))

    @cached_property
    def _sorted(self) -> tuple[np.ndarray[Any, np.dtype[Any]], Index]:
        flat = self.values.to_numpy()
        order = np.argsort(flat).astype(np.int32)
        return flat[order], order

    @cached_property
    def _place_of(self) -> dict[str, int]:
        return {text: place for place, text in enumerate(self.values.to_pylist())}

    @cached_property
    def _hashed(self) -> tuple[Hashes, Index] | None:
        """Sorted Python hashes of the strings, and the index of each; None if two are equal."""
        hashes = _hashes(self.values)
        order = np.argsort(hashes).astype(np.int32)
        ordered = hashes[order]
        return None if (ordered[1:] == ordered[:-1]).any() else (ordered, order)


def _hashes(texts: Any) -> Hashes:
    return np.fromiter(map(hash, texts.to_pylist()), np.int64, len(texts))
