"""What a column of raw Parquet looks like: counted over a sample, told in one line."""

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
    shape: Shape  # of a list's items: see `items`
    null_share: float
    distinct: int  # of a list: of its items
    example: str
    constant: bool
    whole: bool  # numbers without a fraction
    binary: bool  # 0 and 1 and nothing else
    low: float | None
    high: float | None
    skewed: bool
    sentinels: tuple[str, ...]  # values that look like "not known"
    p95_length: int  # of a list


def profile_column(name: str, column: Any) -> ColumnProfile:
    """Look at one column (a `pyarrow.ChunkedArray`) of a sample."""
    shape = _shape(column.type)
    items = pc.list_flatten(column) if shape == "list" else column
    if pa.types.is_dictionary(items.type):
        items = items.cast(items.type.value_type)
    simple = shape != "other" and not pa.types.is_nested(items.type)
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


def _shape(kind: Any) -> Shape:
    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "list"
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
    """A long tail to the right: the mean lies well over the median, in its own spread."""
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
    found = []
    # one negative value among none: -1, -124; or a lonely row of nines at the top
    if values[0] < 0 and (len(values) == 1 or values[1] >= 0):
        found.append(values[0])
    top = f"{values[-1]:.0f}"
    if len(values) > 2 and len(top) >= 3 and set(top) == {"9"} and values[-1] > 5 * values[-2]:
        found.append(values[-1])
    return tuple(f"{value:g}" for value in found)


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
