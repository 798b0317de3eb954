"""Which lists are times of events."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.profile import profile_column
from mixfront.data.propose_times import time_unit, times_of_lists, warn_of_times

MS = 1_700_000_000_000
LISTS: dict[str, Any] = {
    "seen": [[1, 2], [], [3]],
    "seen_genre": [["a", "b"], None, ["c"]],
    "seen_ms": [[MS, MS + 5], [], [MS]],
    "bought": [[1], [2], []],
    "bought_at": pa.array([[MS], [MS], []], pa.list_(pa.timestamp("ms"))),
    "tags": [[1, 2], [], [1, 2]],
}


def found_in(**lists: Any) -> dict[str, str]:
    rows = pa.table(lists)
    return times_of_lists([profile_column(name, rows[name]) for name in lists], rows)


def test_lists_that_are_as_long_in_every_row() -> None:
    assert found_in(**LISTS) == {"seen": "seen_ms", "seen_genre": "seen_ms", "bought": "bought_at"}


def test_of_several_the_one_whose_name_begins_alike() -> None:
    times = {"a_ts": [[MS]], "b_ts": [[MS]], "a": [[1]], "b": [[2]], "c": [[3]]}
    assert found_in(**times) == {"a": "a_ts", "b": "b_ts", "c": "a_ts"}


@pytest.mark.parametrize(
    ("moment", "unit"),
    [(MS, "ms"), (MS // 1000, "s"), (MS * 1000, "us"), (MS / 1000, "s"), (20260131, None)],
)
def test_the_unit_by_the_size(moment: float, unit: str | None) -> None:
    assert time_unit(pa.array([moment, None])) == unit


def test_timestamps_need_no_unit() -> None:
    assert time_unit(pa.array([MS], pa.timestamp("ms"))) is None


def test_events_after_their_rows_are_warned_of() -> None:
    rows = pa.table({"t": np.full(4, MS), "ts": [[MS - 1, MS - 2], [MS + 1], None, [MS - 1]]})
    assert warn_of_times("seen", "ts", rows, "t", "ms") == (
        "25% of the events of 'seen' come after their row: a leak; cut them off"
    )
    assert warn_of_times("seen", "ts", rows.slice(2), "t", "ms") is None


def test_without_a_time_of_the_rows_one_is_asked_for() -> None:
    assert "use --time" in str(warn_of_times("seen", "ts", pa.table({}), None, None))
