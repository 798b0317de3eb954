"""Ages of the events of a sequence: the time from each event until its row was shown."""

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
# No log goes back that far. Seconds that are read as milliseconds are in January 1970.
_FARTHEST = 30 * _YEAR


def seconds(column: Any, name: str, unit: TimeUnit | None) -> Seconds:
    """Times (N,) in seconds since 1970, NaN where null.

    Timestamps, dates and ISO 8601 text need no unit; numbers are in `unit`.

    Raises:
        SchemaError: If the column does not hold times, or holds numbers and `unit` is None.
    """
    array = plain(column)
    types, kind = pa.types, array.type
    if types.is_null(kind):
        return np.full(len(array), np.nan)
    if types.is_integer(kind) or types.is_floating(kind):
        if unit is None:
            raise SchemaError(
                f"the times in {name!r} are numbers; set their unit in the schema: "
                "`time_unit: s | ms | us`"
            )
        return _floats(array) / _PER_SECOND[unit]
    if types.is_string(kind) or types.is_large_string(kind):
        array = _parsed(array, name)
    elif not (types.is_timestamp(kind) or types.is_date(kind)):
        raise SchemaError(
            f"the column {name!r} holds {kind}, not times; choose a different column"
        )
    zone = array.type.tz if types.is_timestamp(array.type) else None
    moments = array.cast(pa.timestamp("us", tz=zone), safe=False)
    return _floats(moments.cast(pa.int64())) / 1e6


def encode_ages(
    events: Any, times: Any, now: Seconds, feature: SequenceFeature, unit: TimeUnit | None
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Age in seconds of every kept event, (N, length), followed by zeros.

    An event after its row has age 0, because clocks differ.

    Args:
        events: The column of the sequence.
        times: Lists of the same lengths, with the times of the events.
        now: (N,), when each row was shown.
        feature: The sequence.
        unit: Unit of times that are numbers.

    Raises:
        SchemaError: If `times` does not hold lists of times.
        DataError: If events and times of a row differ in number, or a time is missing or absurd.
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
            "fill in the times, or remove such events"
        )
    if len(ages) and (farthest := np.abs(ages).max()) > _FARTHEST:
        raise DataError(
            f"an event of {feature.name!r} is {farthest / _YEAR:,.0f} years from its row; the "
            f"times in {feature.times!r} and those of the rows must have the same unit"
        )


def _floats(array: Any) -> Seconds:
    flat: Seconds = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return flat


def _parsed(array: Any, name: str) -> Any:
    """Text as timestamps, with or without a time zone."""
    for zone in (None, "UTC"):
        try:
            return array.cast(pa.timestamp("us", tz=zone))
        except pa.ArrowInvalid:
            continue
    raise SchemaError(f"a string in {name!r} is not an ISO 8601 time; write 2026-01-31T12:00:00")
