"""The metrics of a running search."""

from collections.abc import Iterator
from typing import Any

import pytest

from mixfront.exceptions import LaneError
from mixfront.pool.leases import LaneUse
from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.pool.status import LaneStatus
from mixfront.records import TrialRecord, TrialState
from mixfront.search.monitoring import metrics as module
from mixfront.search.monitoring.metrics import MeteredCallbacks, SearchMetrics, lane_state
from mixfront.search.monitoring.table import MonitoringMetric

Values = dict[tuple[str, ...], float]


class FakeMetric:
    """One of Ray's metric objects, which writes to a dictionary."""

    def __init__(self, metric: MonitoringMetric, values: Values) -> None:
        self._metric = metric
        self._values = values

    def set(self, value: float, tags: dict[str, str]) -> None:
        self._values[self._key(tags)] = value

    def inc(self, value: float, tags: dict[str, str]) -> None:
        assert value > 0  # Ray raises otherwise
        key = self._key(tags)
        self._values[key] = self._values.get(key, 0) + value

    def _key(self, tags: dict[str, str]) -> tuple[str, ...]:
        assert tuple(tags) == self._metric.labels
        assert tags["search"] == "demo"
        return (self._metric.name.removeprefix("mixfront_"), *list(tags.values())[1:])


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> Iterator[Values]:
    """What Ray would export."""
    exported: Values = {}
    monkeypatch.setattr(module, "_ray_metric", lambda metric: FakeMetric(metric, exported))
    yield exported
    assert all(value >= 0 for value in exported.values())


def lane(**fields: Any) -> LaneStatus:
    default: dict[str, Any] = {"lane": 0, "use": LaneUse.FREE, "warm": True, "trial_id": None}
    return LaneStatus(**(default | {"generation": 1, "deaths": 0, "last_error": None} | fields))


class NoCallbacks:
    """Ignores every event."""

    def on_start(self, record: TrialRecord) -> None:
        """Do nothing."""

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        """Do nothing."""

    def on_end(self, record: TrialRecord) -> None:
        """Do nothing."""


def record(trial_id: str, **fields: Any) -> TrialRecord:
    return TrialRecord(trial_id=trial_id, family="unimixer", config={}, **fields)


def test_trials_by_state(values: Values) -> None:
    earlier = [record("0", state=TrialState.COMPLETE), record("1", state=TrialState.INTERRUPTED)]
    search = SearchMetrics("demo", earlier, list, lambda: 0)
    callbacks = MeteredCallbacks(NoCallbacks(), search)
    trials = [record("1"), record("2"), record("3", state=TrialState.INFEASIBLE)]
    callbacks.on_start(trials[0])
    callbacks.on_start(trials[1])
    callbacks.on_end(trials[2])
    trials[1].state = TrialState.FAILED
    callbacks.on_end(trials[1])
    search.publish()
    states = {key[1]: value for key, value in values.items() if key[0] == "trials"}
    expected = {"complete": 1, "running": 1, "failed": 1, "infeasible": 1}
    assert states == dict.fromkeys(map(str, TrialState), 0) | expected


def test_throughput_is_of_running_trials(values: Values) -> None:
    search = SearchMetrics("demo", [], list, lambda: 0)
    callbacks = MeteredCallbacks(NoCallbacks(), search)
    trials = [record("0"), record("1", metrics={"samples_per_s": 9.0})]  # one is resumed
    report = TrialReport(trial_id="0", status=TrialStatus.RUNNING)
    for trial in trials:
        callbacks.on_start(trial)
    search.publish()
    assert values["samples_per_second",] == 0
    for trial in trials:
        trial.metrics = {"samples_per_s": 100.0}
        callbacks.on_result(trial, report)
    search.publish()
    assert values["samples_per_second",] == 200
    callbacks.on_end(trials[0])
    search.publish()
    assert values["samples_per_second",] == 100


def test_seconds_by_phase_are_those_of_this_driver(values: Values) -> None:
    search = SearchMetrics("demo", [], list, lambda: 0)
    trial = record("0", seconds={"train": 50.0})  # resumed
    search.start(trial)
    trial.seconds = {"train": 60.0, "setup": 2.0}
    search.count(trial)
    search.publish()
    trial.seconds = {"train": 75.0, "setup": 2.0}
    search.end(trial)
    search.publish()
    assert (values["phase_seconds", "train"], values["phase_seconds", "setup"]) == (25, 2)


def test_lanes_and_backlog(values: Values) -> None:
    lanes = [
        lane(use=LaneUse.LEASED, generation=3),
        lane(warm=False, generation=0),
        lane(use=LaneUse.CLEANING, generation=2),
        lane(use=LaneUse.BROKEN, warm=False),
    ]
    with SearchMetrics("demo", [], lambda: lanes, lambda: 4) as search:
        search.publish()
        assert values["mlflow_backlog",] == 4
        assert values["lane_recycles",] == 3
        states = ("busy", "waiting", "idle", "broken")
        assert [values["lanes", state] for state in states] == [1, 1, 1, 1]
    assert [values["lanes", state] for state in states] == [0, 0, 0, 0]


def test_lanes_are_asked_for_only_until_the_end(values: Values) -> None:
    def lanes() -> list[LaneStatus]:
        raise LaneError("the pool is closing")

    search = SearchMetrics("demo", [], lanes, lambda: 4)
    search.publish()
    assert values["lanes", "busy"] == 0
    assert ("lane_recycles",) not in values


def test_a_leased_lane_that_restarts_is_waiting() -> None:
    assert lane_state(lane(use=LaneUse.LEASED, warm=False)) == "waiting"


def test_without_rays_metrics_a_search_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(metric: MonitoringMetric) -> None:
        raise RuntimeError(f"no {metric.name}")

    monkeypatch.setattr(module, "_ray_metric", fail)
    with SearchMetrics("demo", [], list, lambda: 0, every_s=0.01) as search:
        search.start(record("0"))
        search.publish()


def test_rays_own_objects_take_what_is_published() -> None:
    search = SearchMetrics("demo", [], lambda: [lane(generation=2)], lambda: 4)
    search.start(trial := record("0"))
    trial.seconds = {"train": 1.0}
    search.count(trial)
    search._publish()  # `publish` would hide an error
