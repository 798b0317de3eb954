"""The starts of trials on lanes, in a file that outlives killed drivers."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.bench.scale.simulated_lanes import Workload
from tests.bench.scale.simulated_search import made_up_auc
from tests.faults.invariants import Journal

from mixfront.records import TrialRecord, TrialState

LANES = 3
WORKLOAD = Workload(trial_s=60.0, evaluations=4, measure=made_up_auc)


@dataclass(frozen=True)
class TrainingLog:
    """Written by all drivers of one search.

    Args:
        path: The file.
        folder: The search's.
    """

    path: Path
    folder: Path

    def add(self, trial_id: str) -> None:
        """Note that a lane begins to train a trial; called in the driver."""
        record = read_record(self.folder / "trials" / trial_id / "record.json")
        complete = record is not None and record.state is TrialState.COMPLETE
        with self.path.open("a") as file:
            file.write(json.dumps({"trial": trial_id, "complete": complete}) + "\n")

    def copy_to(self, journal: Journal) -> None:
        """Give all starts so far to a journal."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        starts = [json.loads(line) for line in lines]
        journal.starts = [start["trial"] for start in starts]
        journal.restarted = [start["trial"] for start in starts if start["complete"]]

    def records(self) -> list[TrialRecord]:
        """The trials' records, read without the storage's faults."""
        records = map(read_record, self.folder.glob("trials/*/record.json"))
        return [record for record in records if record is not None]


def read_record(path: Path) -> TrialRecord | None:
    """A trial's record; None if there is none, it is damaged, or it is another trial's."""
    try:
        record = TrialRecord.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if record.trial_id == path.parent.name else None
