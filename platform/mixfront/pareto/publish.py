"""The front into MLflow, after each trial that changes it."""

from collections.abc import Sequence

from mixfront.pareto.formatting import markdown_table
from mixfront.pareto.front import Front, front_json, front_of
from mixfront.records import SearchRecord, TrialRecord
from mixfront.tracking import MlflowWriter


def publish_front(
    writer: MlflowWriter, search: SearchRecord, trials: Sequence[TrialRecord]
) -> Front:
    """Compute the front of the trials so far and tell MLflow of it; returns at once.

    Call it after each trial that became complete. The metric `hypervolume` of the search's run
    has the number of complete trials as its step.
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
