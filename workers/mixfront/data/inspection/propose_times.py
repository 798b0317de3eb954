"""Which lists of a data set tell when the events of other lists happened."""

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
_SMALLEST: dict[TimeUnit, float] = {"us": 1e14, "ms": 1e11, "s": 1e8}  # 1973 and later
_AFTER = 0.01  # of the events: so many younger than their row are more than clocks that differ


def times_of_lists(profiles: Sequence[ColumnProfile], rows: pa.Table) -> dict[str, str]:
    """List column -> the list column with its events' times: as long in every row.

    Of several, the one whose name begins most alike.
    """
    lists = [profile for profile in profiles if profile.shape == "list"]
    times = [profile.name for profile in lists if _tells_times(profile)]
    found = {}
    for name in (profile.name for profile in lists if profile.name not in times):
        fit = [other for other in times if _as_long(rows[name], rows[other])]
        if fit:
            found[name] = max(fit, key=lambda other: _alike(name, other))
    return found


def time_unit(moments: Any) -> TimeUnit | None:
    """The unit of moments of a column, by their size; None where they say it, or none fits."""
    kind = moments.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    middle = pc.approximate_median(moments).as_py()
    return next((u for u, least in _SMALLEST.items() if middle and middle >= least), None)


def judge_times(
    name: str, times: str, rows: pa.Table, time: str | None, unit: TimeUnit | None
) -> tuple[str | None, bool]:
    """What to warn of in the times of a list's events, and whether they can be used."""
    if time is None:
        told = f"looks like the times of {name!r}, but no column is when rows were; use --time"
        return told, False
    lengths = pc.list_value_length(rows[times]).fill_null(0).to_numpy()
    try:
        now = np.repeat(seconds(rows[time], time, unit), lengths)
        ages = now - seconds(pc.list_flatten(rows[times]), times, unit)
    except SchemaError as problem:
        return f"looks like the times of {name!r}, left out: {problem}", False
    share = float(np.mean(ages < 0)) if len(ages) else 0.0
    if share <= _AFTER:
        return None, True
    return (
        f"{share:.0%} of the events of {name!r} come after their row: a leak; cut them off",
        True,
    )


def _tells_times(profile: ColumnProfile) -> bool:
    """By its type, or by its name and numbers that are no durations."""
    if "timestamp" in profile.type:
        return True
    late = profile.low is not None and profile.low >= _SMALLEST["s"]
    return late and bool(_TIMES.search(profile.name))


def _alike(one: str, other: str) -> int:
    """How many letters they begin with alike."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def _as_long(one: Any, other: Any) -> bool:
    lengths = (pc.list_value_length(column).fill_null(0) for column in (one, other))
    return bool(pc.all(pc.equal(*lengths)).as_py())
