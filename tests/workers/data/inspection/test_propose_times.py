"""Finding the lists that are times of events."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.inspection.profile import profile_column
from mixfront.data.inspection.propose_times import check_times, match_times, time_unit

MS = 1_700_000_000_000
LISTS: dict[str, Any] = {
    "seen": [[1, 2], [], [3]],
    "seen_genre": [["a", "b"], None, ["c"]],
    "seen_ms": [[MS, MS + 5], [], [MS]],
    "bought": [[1], [2], []],
    "bought_at": pa.array([[MS], [MS], []], pa.list_(pa.timestamp("ms"))),
    "tags": [[1, 2], [], [1, 2]],
}


def matches_in(**lists: Any) -> dict[str, str]:
    rows = pa.table(lists)
    return match_times([profile_column(name, rows[name]) for name in lists], rows)


def test_lists_match_if_they_have_the_same_length_in_every_row() -> None:
    assert matches_in(**LISTS) == {
        "seen": "seen_ms",
        "seen_genre": "seen_ms",
        "bought": "bought_at",
    }


def test_the_longest_common_prefix_of_names_wins() -> None:
    times = {"a_ts": [[MS]], "b_ts": [[MS]], "a": [[1]], "b": [[2]], "c": [[3]]}
    assert matches_in(**times) == {"a": "a_ts", "b": "b_ts", "c": "a_ts"}


def test_durations_are_not_times() -> None:
    assert matches_in(seen=[[1, 2]], seen_time=[[3000, 86_400_000]]) == {}


@pytest.mark.parametrize(
    ("moment", "unit"),
    [(MS, "ms"), (MS // 1000, "s"), (MS * 1000, "us"), (MS / 1000, "s"), (20260131, None)],
)
def test_the_unit_by_the_size(moment: float, unit: str | None) -> None:
    assert time_unit(pa.array([moment, None])) == unit


def test_timestamps_need_no_unit() -> None:
    assert time_unit(pa.array([MS], pa.timestamp("ms"))) is None


def test_events_after_their_rows_cause_a_warning() -> None:
    rows = pa.table({"t": np.full(4, MS), "ts": [[MS - 1, MS - 2], [MS + 1], None, [MS - 1]]})
    assert check_times("seen", "ts", rows, "t", "ms") == (
        "25% of the events of 'seen' come after their row: a leak; remove them",
        True,
    )
    assert check_times("seen", "ts", rows.slice(2), "t", "ms") == (None, True)


def test_the_warning_asks_for_the_times_of_rows_if_they_are_missing() -> None:
    warning, usable = check_times("seen", "ts", pa.table({}), None, None)
    assert "name it with --time" in str(warning)
    assert not usable


@pytest.mark.parametrize("moment", ["31.1.2026 12:00", 20260131])
def test_times_of_rows_that_cannot_be_read_cause_a_warning(moment: Any) -> None:
    rows = pa.table({"t": [moment], "ts": [[MS]]})
    warning, usable = check_times("seen", "ts", rows, "t", None)
    assert str(warning).startswith("looks like the times of 'seen', left out: ")
    assert not usable
