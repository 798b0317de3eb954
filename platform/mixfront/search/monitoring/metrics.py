"""Exports a search's metrics through Ray.

Events only count. A thread publishes the counts every few seconds, because setting a metric in Ray
takes 10 µs, and asking for the lanes is a call to their pool.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from mixfront.exceptions import LaneError
from mixfront.pool.leases import LaneUse
from mixfront.pool.report import TrialReport
from mixfront.pool.status import LaneStatus
from mixfront.records import TrialRecord, TrialState
from mixfront.search.monitoring.table import (
    BACKLOG,
    LANE_STATES,
    LANES,
    METRICS,
    PHASES,
    RECYCLES,
    SEARCH,
    THROUGHPUT,
    TRIALS,
    MonitoringMetric,
)
from mixfront.search.searcher import TrialCallbacks
from mixfront.terminal.waiting import Ticker

logger = logging.getLogger(__name__)

EVERY_S = 5.0  # Ray exports every 10 s
_SAMPLES = "samples_per_s"


class SearchMetrics:
    """Counts a search's events and publishes them; use it as a context manager around the search.

    Nothing here ever fails the search: without Ray's metrics, nothing is published.

    Args:
        search: Name of the search.
        trials: Trials of earlier drivers.
        lanes: Returns the status of every lane.
        backlog: Returns the number of updates that MLflow lacks.
        every_s: Seconds between publications.
    """

    def __init__(
        self,
        search: str,
        trials: Iterable[TrialRecord],
        lanes: Callable[[], list[LaneStatus]],
        backlog: Callable[[], int],
        every_s: float = EVERY_S,
    ) -> None:
        self._states = {trial.trial_id: trial.state for trial in trials}
        self._counts = Counter(self._states.values())
        self._samples: dict[str, float] = {}  # of running trials
        self._seconds: dict[str, dict[str, float]] = {}  # of running trials, counted so far
        self._phases: dict[str, float] = {}
        self._lanes = lanes
        self._backlog = backlog
        self._search = search
        self._exporter: RayExporter | None = None
        self._ticker = Ticker(self.publish, every_s)

    def __enter__(self) -> "SearchMetrics":
        self._ticker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ticker.stop()
        self._lanes = list  # the search is over, whether its pool still responds or not
        self.publish()

    def count(self, record: TrialRecord) -> None:
        """Count what changed in a trial's record."""
        trial = record.trial_id
        if (before := self._states.get(trial)) is not record.state:
            self._states[trial] = record.state
            self._counts[record.state] += 1
            if before is not None:
                self._counts[before] -= 1
        if (samples := record.metrics.get(_SAMPLES)) is not None:
            self._samples[trial] = samples
        counted = self._seconds.setdefault(trial, {})
        for phase, seconds in record.seconds.items():
            new = seconds - counted.get(phase, 0.0)
            self._phases[phase] = self._phases.get(phase, 0.0) + new
            counted[phase] = seconds

    def start(self, record: TrialRecord) -> None:
        """Count a trial's start; the seconds of earlier drivers are theirs."""
        self._seconds[record.trial_id] = dict(record.seconds)
        self.count(record)
        self._samples.pop(record.trial_id, None)  # of an earlier driver

    def end(self, record: TrialRecord) -> None:
        """Count a trial's end."""
        self.count(record)
        self._samples.pop(record.trial_id, None)
        self._seconds.pop(record.trial_id, None)

    def publish(self) -> None:
        """Hand the counts to Ray."""
        try:
            self._publish()
        except Exception:  # no error of Ray may end the search
            logger.debug("the search's metrics were not published", exc_info=True)

    def _publish(self) -> None:
        export = self._exporter = self._exporter or RayExporter(self._search)
        for state in TrialState:
            export.set(TRIALS, self._counts[state], str(state))
        export.set(THROUGHPUT, sum(self._samples.copy().values()))
        export.set(BACKLOG, self._backlog())
        for phase, seconds in self._phases.copy().items():
            export.set(PHASES, seconds, phase)
        try:
            lanes = self._lanes()
        except LaneError:  # the pool is closing
            lanes = []
        states = Counter(lane_state(lane) for lane in lanes)
        for name in LANE_STATES:
            export.set(LANES, states[name], name)
        if lanes:
            export.set(RECYCLES, sum(max(0, lane.generation - 1) for lane in lanes))


@dataclass(frozen=True)
class MeteredCallbacks:
    """Counts a trial's events before forwarding them.

    Args:
        callbacks: The callbacks to forward to.
        metrics: The counts.
    """

    callbacks: TrialCallbacks
    metrics: SearchMetrics

    def on_start(self, record: TrialRecord) -> None:
        """Count the start, then forward."""
        self.metrics.start(record)
        self.callbacks.on_start(record)

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        """Count the evaluation, then forward."""
        self.metrics.count(record)
        self.callbacks.on_result(record, report)

    def on_end(self, record: TrialRecord) -> None:
        """Count the end, then forward."""
        self.metrics.end(record)
        self.callbacks.on_end(record)


class RayExporter:
    """Ray's metric objects of one search.

    Args:
        search: Name of the search.
    """

    def __init__(self, search: str) -> None:
        self._search = search
        self._objects = {metric.name: _ray_metric(metric) for metric in METRICS}
        self._totals: dict[tuple[str, str | None], float] = {}  # of counters

    def set(self, metric: MonitoringMetric, value: float, label: str | None = None) -> None:
        """Set a gauge, or raise a counter to a total; a total never falls."""
        tags = {SEARCH: self._search}
        if metric.label and label is not None:
            tags[metric.label] = label
        if metric.kind == "gauge":
            self._objects[metric.name].set(value, tags=tags)
            return
        grown = value - self._totals.get((metric.name, label), 0.0)
        if grown > 0:
            self._objects[metric.name].inc(grown, tags=tags)
            self._totals[metric.name, label] = value


def lane_state(lane: LaneStatus) -> str:
    """One of LANE_STATES. With `isolation: process`, a lane between two trials is waiting."""
    if lane.use is LaneUse.BROKEN:
        return "broken"
    if not lane.warm:
        return "waiting"
    return "busy" if lane.use is LaneUse.LEASED else "idle"


def _ray_metric(metric: MonitoringMetric) -> Any:
    from ray.util import metrics

    kind = {"gauge": metrics.Gauge, "counter": metrics.Counter}[metric.kind]
    return kind(metric.name, description=metric.description, tag_keys=metric.labels)
