"""Logs the front to MLflow as trials complete."""

import time
from collections.abc import Callable, Iterable, Sequence

from mixfront.pareto.formatting import markdown_table
from mixfront.pareto.front import Front, front_json, front_of
from mixfront.records import SearchRecord, TrialRecord
from mixfront.tracking import MlflowWriter

SHARE = 0.05  # of the driver's time


class FrontPublisher:
    """Publishes the front of one search, in at most 5 % of the driver's time.

    Ranking 20,000 trials takes 0.3 s of CPU, and a new point changes the ranks of many, each an
    update of MLflow. Done after each of the 20,000, that would add up.

    Args:
        writer: Logs to MLflow.
        search: The search.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        writer: MlflowWriter,
        search: SearchRecord,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writer = writer
        self._search = search
        self._clock = clock
        self._next = clock()
        self._is_due = False

    def publish(self, trials: Iterable[TrialRecord]) -> Front | None:
        """Publish and return the front so far; None if the last one was a moment ago."""
        self._is_due = True
        return self.publish_due(trials) if self._clock() >= self._next else None

    def publish_due(self, trials: Iterable[TrialRecord]) -> Front | None:
        """Publish a front that `publish` has put off; call it at the end of a search."""
        if not self._is_due:
            return None
        started = self._clock()
        front = publish_front(self._writer, self._search, list(trials))
        self._is_due = False
        self._next = self._clock() + (self._clock() - started) / SHARE
        return front


def publish_front(
    writer: MlflowWriter, search: SearchRecord, trials: Sequence[TrialRecord]
) -> Front:
    """Compute the front of the trials so far and log it to MLflow; returns at once.

    The step of the metric `hypervolume` of the search's run is the number of complete trials.
    """
    front = front_of(trials, search.objectives, search.reference_point)
    if front.members:
        writer.log_front(
            front_json(search, trials, front),
            front.ranks,
            step=len(front.candidates),
            hypervolume=front.hypervolume,
            description=markdown_table(front),
        )
    return front
