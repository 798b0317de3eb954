"""Finds list columns that hold the times of the events in other list columns."""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mixfront.data.encoding.event_times import seconds
from mixfront.data.inspection.profile import ColumnProfile
from mixfront.data.schema import TimeUnit
from mixfront.exceptions import SchemaError

_TIMES = re.compile(r"(^|_)(times?|timestamps?|ts|ms)$", re.IGNORECASE)
_EARLIEST: dict[TimeUnit, float] = {"us": 1e14, "ms": 1e11, "s": 1e8}  # 1973 and later
_MAX_FUTURE = 0.01  # share of events after their row that differing clocks can explain


def match_times(profiles: Sequence[ColumnProfile], rows: pa.Table) -> dict[str, str]:
    """Map list columns to the columns with the times of their events: as long in every row.

    If several columns match, the one whose name shares the longest prefix.
    """
    lists = [profile for profile in profiles if profile.shape == "list"]
    times = [profile.name for profile in lists if _looks_like_times(profile)]
    matches = {}
    for name in (profile.name for profile in lists if profile.name not in times):
        candidates = [other for other in times if _same_lengths(rows[name], rows[other])]
        if candidates:
            matches[name] = max(candidates, key=lambda other: _common_prefix(name, other))
    return matches


def time_unit(moments: Any) -> TimeUnit | None:
    """The unit of numeric times, inferred from their size; None if not numeric or if none fits."""
    kind = moments.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    middle = pc.approximate_median(moments).as_py()
    return next((u for u, least in _EARLIEST.items() if middle and middle >= least), None)


def check_times(
    name: str, times: str, rows: pa.Table, time: str | None, unit: TimeUnit | None
) -> tuple[str | None, bool]:
    """A warning about the times of a list's events, if any, and whether they can be used."""
    if time is None:
        return (
            f"looks like the times of {name!r}, but no column has the times of the rows; "
            "name it with --time",
            False,
        )
    lengths = pc.list_value_length(rows[times]).fill_null(0).to_numpy()
    try:
        now = np.repeat(seconds(rows[time], time, unit), lengths)
        ages = now - seconds(pc.list_flatten(rows[times]), times, unit)
    except SchemaError as problem:
        return f"looks like the times of {name!r}, left out: {problem}", False
    share = float(np.mean(ages < 0)) if len(ages) else 0.0
    if share <= _MAX_FUTURE:
        return None, True
    return (
        f"{share:.0%} of the events of {name!r} come after their row: a leak; remove them",
        True,
    )


def _looks_like_times(profile: ColumnProfile) -> bool:
    """Judges by the type, or by the name and numbers that are too large for durations."""
    if "timestamp" in profile.type:
        return True
    late = profile.low is not None and profile.low >= _EARLIEST["s"]
    return late and bool(_TIMES.search(profile.name))


def _common_prefix(one: str, other: str) -> int:
    """Length of the common prefix of two names."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def _same_lengths(one: Any, other: Any) -> bool:
    lengths = (pc.list_value_length(column).fill_null(0) for column in (one, other))
    return bool(pc.all(pc.equal(*lengths)).as_py())
