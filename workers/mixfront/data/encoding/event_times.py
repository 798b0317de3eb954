"""When events happened: how old every event of a sequence is when its row is shown."""

from typing import Any

import numpy as np
import pyarrow as pa

from mixfront.data.encoding.canonical import plain
from mixfront.data.encoding.sequences import cut_lists, is_list, items_of
from mixfront.data.schema import SequenceFeature, TimeUnit
from mixfront.exceptions import DataError, SchemaError

Seconds = np.ndarray[Any, np.dtype[np.float64]]

_PER_SECOND: dict[TimeUnit, float] = {"s": 1.0, "ms": 1e3, "us": 1e6}
_YEAR = 365.25 * 86_400
# No log goes back so far. Seconds that are taken for milliseconds lie in January 1970.
_FARTHEST = 30 * _YEAR


def seconds(column: Any, name: str, unit: TimeUnit | None) -> Seconds:
    """Moments (N,) in seconds since 1970, NaN where null.

    Timestamps and dates say what they mean, as do texts in ISO 8601; numbers are in `unit`.

    Raises:
        SchemaError: If the column holds no moments, or numbers and there is no unit.
    """
    array = plain(column)
    types, kind = pa.types, array.type
    if types.is_null(kind):
        return np.full(len(array), np.nan)
    if types.is_integer(kind) or types.is_floating(kind):
        if unit is None:
            raise SchemaError(
                f"the times in {name!r} are numbers; say their unit in the schema, "
                "`time_unit: s | ms | us`"
            )
        return _floats(array) / _PER_SECOND[unit]
    if types.is_string(kind) or types.is_large_string(kind):
        array = _parsed(array, name)
    elif not (types.is_timestamp(kind) or types.is_date(kind)):
        raise SchemaError(f"the column {name!r} holds {kind}, no times; name another")
    zone = array.type.tz if types.is_timestamp(array.type) else None
    moments = array.cast(pa.timestamp("us", tz=zone), safe=False)
    return _floats(moments.cast(pa.int64())) / 1e6


def encode_ages(
    events: Any, times: Any, now: Seconds, feature: SequenceFeature, unit: TimeUnit | None
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Age in seconds of every event that is kept, (N, length), 0 where there is none.

    An event that comes after its row has age 0: clocks differ.

    Args:
        events: The sequence's own column.
        times: Lists as long, of moments.
        now: (N,), when each row was shown.
        feature: Of the sequence.
        unit: Of moments that are numbers.

    Raises:
        SchemaError: If `times` holds no lists of moments.
        DataError: If there are more or fewer times than events, or one is not known or absurd.
    """
    _, counts = items_of(events, feature.name)
    moments, lengths = _moments(times, feature)
    if len(wrong := np.flatnonzero(counts != lengths)):
        row = wrong[0]
        raise DataError(
            f"a row has {counts[row]} events in {feature.name!r} and {lengths[row]} times in "
            f"{feature.times!r}; give every event its time"
        )
    ages = np.repeat(now, lengths) - seconds(moments, str(feature.times), unit)
    _check(ages, feature)
    young = np.maximum(ages, 0).astype(np.float32)
    cut = cut_lists(lengths, feature.length, feature.keep)
    return cut.spread(cut.kept(young), 0)


def _moments(times: Any, feature: SequenceFeature) -> tuple[Any, Any]:
    if not (is_list(times.type) or pa.types.is_null(times.type)):
        raise SchemaError(
            f"the times of {feature.name!r} are in {feature.times!r}, which holds {times.type}; "
            "give lists as long as those of the events"
        )
    return items_of(times, feature.name)


def _check(ages: Seconds, feature: SequenceFeature) -> None:
    if np.isnan(ages).any():
        raise DataError(
            f"an event of {feature.name!r} has no time in {feature.times!r}, or its row has none; "
            "fill them in, or leave such events out"
        )
    if len(ages) and (farthest := np.abs(ages).max()) > _FARTHEST:
        raise DataError(
            f"an event of {feature.name!r} lies {farthest / _YEAR:,.0f} years from its row; the "
            f"times in {feature.times!r} and those of the rows must have the same unit"
        )


def _floats(array: Any) -> Seconds:
    flat: Seconds = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return flat


def _parsed(array: Any, name: str) -> Any:
    """Texts as timestamps, with a zone or without."""
    for zone in (None, "UTC"):
        try:
            return array.cast(pa.timestamp("us", tz=zone))
        except pa.ArrowInvalid:
            continue
    raise SchemaError(f"a text in {name!r} is no time of ISO 8601; write 2026-01-31T12:00:00")
