"""Statistics of a column of raw Parquet, over a sample of rows."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Shape = Literal["number", "text", "list", "other"]

_PLACEHOLDERS = {"unknown", "null", "none", "nan", "n/a", "na", "", "-", "undefined"}
_MAX_EXAMPLE = 28


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """One column; counts are over the sampled rows."""

    name: str
    type: str
    shape: Shape
    null_share: float
    distinct: int  # number of distinct values; for lists, of distinct items
    example: str
    constant: bool
    whole: bool  # numbers without a fraction
    binary: bool  # only 0 and 1
    low: float | None
    high: float | None
    skewed: bool
    sentinels: tuple[str, ...]  # values that look like placeholders for unknown
    p95_length: int  # of lists, 0 for other columns


def profile_column(name: str, column: Any) -> ColumnProfile:
    """Profile one column (a `pyarrow.ChunkedArray`) of a sample."""
    shape = _shape(column.type)
    items = _countable(pc.list_flatten(column) if shape == "list" else column)
    simple = shape != "other"
    values = items.drop_null() if simple else items
    unique = values.unique() if simple else None
    distinct = len(unique) if unique is not None else 0
    flat = _floats(values)
    return ColumnProfile(
        name=name,
        type=str(column.type),
        shape=shape,
        null_share=column.null_count / max(len(column), 1),
        distinct=distinct,
        example=_example(column),
        constant=shape != "list" and simple and distinct <= 1,
        whole=flat is not None and bool(np.all(flat == np.floor(flat))),
        binary=flat is not None and distinct == 2 and set(np.unique(flat)) == {0.0, 1.0},
        low=float(flat.min()) if flat is not None and len(flat) else None,
        high=float(flat.max()) if flat is not None and len(flat) else None,
        skewed=flat is not None and _skewed(flat),
        sentinels=_sentinels(unique, flat, shape),
        p95_length=_p95_length(column) if shape == "list" else 0,
    )


def _countable(items: Any) -> Any:
    """The items, cast to a type whose distinct values Arrow can count."""
    if pa.types.is_dictionary(items.type):
        return items.cast(items.type.value_type)
    small = pa.types.is_decimal32(items.type) or pa.types.is_decimal64(items.type)
    return items.cast(pa.float64()) if small or pa.types.is_float16(items.type) else items


def _shape(kind: Any) -> Shape:
    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "other" if types.is_nested(kind.value_type) else "list"
    if types.is_dictionary(kind):
        return _shape(kind.value_type)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        return "number"
    if types.is_decimal(kind):
        return "number"
    texts = types.is_string(kind) or types.is_large_string(kind) or types.is_date(kind)
    return "text" if texts else "other"


def _floats(values: Any) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    if _shape(values.type) != "number":
        return None
    flat = values.cast(pa.float64(), safe=False).to_numpy()
    finite: np.ndarray[Any, np.dtype[np.float64]] = flat[np.isfinite(flat)]
    return finite


def _skewed(flat: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    """A long tail to the right: the 99th percentile is over 5 times the median."""
    if not len(flat) or flat.min() < 0:
        return False
    middle, high = np.quantile(flat, [0.5, 0.99])
    return bool(high > 5 * max(middle, 1.0))


def _sentinels(unique: Any, flat: Any, shape: Shape) -> tuple[str, ...]:
    if shape == "text" and unique is not None:
        texts = unique.cast(pa.string()).to_pylist()
        return tuple(sorted(text for text in texts if text.strip().lower() in _PLACEHOLDERS))[:3]
    if shape != "number" or flat is None or len(flat) < 2:
        return ()
    values = np.unique(flat)
    sentinels = []
    # the only negative value, such as -1 or -124; or a maximum of nines far above the rest
    if values[0] < 0 and (len(values) == 1 or values[1] >= 0):
        sentinels.append(values[0])
    top = f"{values[-1]:.0f}"
    if len(values) > 2 and len(top) >= 3 and set(top) == {"9"} and values[-1] > 5 * values[-2]:
        sentinels.append(values[-1])
    return tuple(f"{value:g}" for value in sentinels)


def _p95_length(column: Any) -> int:
    lengths = pc.list_value_length(column).drop_null()
    return int(pc.quantile(lengths, 0.95)[0].as_py()) if len(lengths) else 0


def _example(column: Any) -> str:
    valid = column.slice(0, 1000).drop_null()
    if not len(valid):
        return "null"
    value = valid[0].as_py()
    text = str(value[:5])[:-1] + ", ...]" if isinstance(value, list) and len(value) > 5 else None
    text = text or str(value)
    return text if len(text) <= _MAX_EXAMPLE else text[: _MAX_EXAMPLE - 3] + "..."
