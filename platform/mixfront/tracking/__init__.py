"""What is remembered of a search: records in storage, runs in MLflow."""

from mixfront.tracking.records import (
    Objective,
    RecordStore,
    SearchRecord,
    TrialRecord,
    TrialState,
    list_searches,
)

__all__ = [
    "Objective",
    "RecordStore",
    "SearchRecord",
    "TrialRecord",
    "TrialState",
    "list_searches",
]
