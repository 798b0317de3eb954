"""Ages of events when their row is shown."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mixfront.data.encoding.event_times import encode_ages, seconds
from mixfront.data.schema import SequenceFeature
from mixfront.exceptions import DataError, SchemaError

SEEN = SequenceFeature(name="seen", domain="behaviour", length=3, times="seen_ms")
NOW = np.array([1000.0, 2000.0, 3000.0, 4000.0])
EVENTS = pa.array([[7, 8, 9, 10], [], None, [7]])
TIMES = [[100_000, 400_000, 900_000, 999_500], [], None, [4_000_500]]
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_ages_of_the_last_events_by_hand() -> None:
    """In seconds; 0 after the last event, and for an event after its row."""
    ages = encode_ages(EVENTS, pa.array(TIMES), NOW, SEEN, "ms")
    assert ages.dtype == np.float32
    assert ages.tolist() == [[600, 100, 0.5], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_ages_of_the_first_events() -> None:
    first = SEEN.model_copy(update={"keep": "first"})
    assert encode_ages(EVENTS, pa.array(TIMES), NOW, first, "ms")[0].tolist() == [900, 600, 100]


@pytest.mark.parametrize(
    "moment",
    [
        pa.array([NOON]),
        pa.array([NOON], pa.timestamp("ns", "Europe/Berlin")),
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("s")),
        pa.array(["2026-01-31T12:00:00"]),
        pa.array(["2026-01-31T12:00:00Z"]),
        pa.array(["2026-01-31 13:00:00+01:00"], pa.large_string()),
        pa.chunked_array([pa.array([NOON])]),
    ],
    ids=str,
)
def test_every_way_to_write_a_time(moment: Any) -> None:
    assert seconds(moment, "t", None).tolist() == [NOON.timestamp()]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1000), ("us", 1_000_000)])
def test_numbers_are_in_the_unit(unit: Any, factor: int) -> None:
    moments = pa.array([int(NOON.timestamp()) * factor, None])
    for column in (moments, moments.to_numpy(zero_copy_only=False)):
        np.testing.assert_array_equal(seconds(column, "t", unit), [NOON.timestamp(), np.nan])


def test_days_begin_at_midnight() -> None:
    days = pa.array([date(1970, 1, 3), None])
    np.testing.assert_array_equal(seconds(days, "t", None), [2 * 86_400, np.nan])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1]), "the times in 't' are numbers; set their unit .* `time_unit:"),
        (pa.array([True]), "the column 't' holds bool, not times"),
        (pa.array(["noon"]), "a string in 't' is not an ISO 8601 time"),
    ],
)
def test_values_that_are_not_times_are_refused(column: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        seconds(column, "t", None)


@pytest.mark.parametrize(
    ("times", "now", "message"),
    [
        ([[1], [], [], []], 0.0, "a row has 4 events in 'seen' and 1 times in 'seen_ms'"),
        ([[1, 1, None, 1], [], [], [1]], 0.0, "an event of 'seen' has no time in 'seen_ms'"),
        (TIMES, np.nan, "or its row has none"),
        (TIMES, 4e9, "is 127 years from its row; .* must have the same unit"),
        (TIMES, 1.1e9, "is 35 years from its row"),
    ],
)
def test_events_without_a_plausible_time_are_refused(times: Any, now: float, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        encode_ages(EVENTS, pa.array(times), np.full(4, now), SEEN, "ms")
    assert "\n" not in str(caught.value)
