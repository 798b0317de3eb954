"""The table of a search's metrics: Ray's metric objects and the Grafana dashboard come from it.

Ray exports a gauge as `ray_NAME` and a counter as `ray_NAME_total`, with labels of its own beside
ours. `infra/grafana/generate.py` makes the dashboard.
"""

from dataclasses import dataclass
from typing import Literal

SEARCH = "search"  # label of every metric: the search's name
LANE_STATES = ("busy", "idle", "waiting", "broken")


@dataclass(frozen=True, kw_only=True)
class MonitoringMetric:
    """One metric."""

    name: str
    kind: Literal["gauge", "counter"]
    unit: Literal["lanes", "trials", "samples/s", "updates", "seconds"]
    title: str
    description: str
    label: str | None = None  # beside the search's name

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels."""
        return (SEARCH, self.label) if self.label else (SEARCH,)

    @property
    def exported_name(self) -> str:
        """The name in Prometheus."""
        return f"ray_{self.name}" + ("_total" if self.kind == "counter" else "")


LANES = MonitoringMetric(
    name="mixfront_lanes",
    kind="gauge",
    unit="lanes",
    title="Lanes by state",
    description="Lanes that train a trial (busy), are warm without one (idle), wait for resources "
    "or for their processes to start (waiting), or cannot be started (broken).",
    label="state",
)
RECYCLES = MonitoringMetric(
    name="mixfront_lane_recycles",
    kind="counter",
    unit="lanes",
    title="Recycled lanes",
    description="Worker groups that lanes started after their first one, because the one before "
    "died, kept memory, or had trained many trials.",
)
TRIALS = MonitoringMetric(
    name="mixfront_trials",
    kind="gauge",
    unit="trials",
    title="Trials by state",
    description="Trials of the search, also those of earlier drivers.",
    label="state",
)
THROUGHPUT = MonitoringMetric(
    name="mixfront_samples_per_second",
    kind="gauge",
    unit="samples/s",
    title="Training throughput",
    description="Samples per second of the running trials together, each as of its last "
    "evaluation.",
)
BACKLOG = MonitoringMetric(
    name="mixfront_mlflow_backlog",
    kind="gauge",
    unit="updates",
    title="MLflow backlog",
    description="Updates that wait to be sent to MLflow. It grows while the server is away.",
)
PHASES = MonitoringMetric(
    name="mixfront_phase_seconds",
    kind="counter",
    unit="seconds",
    title="Trials by phase",
    description="Wall time of trials in each phase, such as lease, setup, train and evaluate. Its "
    "rate, over more than the time between two evaluations, is the mean number of trials in the "
    "phase.",
    label="phase",
)

METRICS = (LANES, TRIALS, THROUGHPUT, PHASES, BACKLOG, RECYCLES)
