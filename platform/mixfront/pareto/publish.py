"""Logs the front to MLflow after each complete trial."""

from collections.abc import Sequence

from mixfront.pareto.formatting import markdown_table
from mixfront.pareto.front import Front, front_json, front_of
from mixfront.records import SearchRecord, TrialRecord
from mixfront.tracking import MlflowWriter


def publish_front(
    writer: MlflowWriter, search: SearchRecord, trials: Sequence[TrialRecord]
) -> Front:
    """Compute the front of the trials so far and log it to MLflow; returns at once.

    Call it whenever a trial completes. The step of the metric `hypervolume` of the search's run
    is the number of complete trials.
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
