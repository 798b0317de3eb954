"""What is remembered of a search: records in storage, runs in MLflow."""

from mixfront.tracking.client import check_reachable
from mixfront.tracking.locate import absolute_storage, default_storage, locate_search
from mixfront.tracking.records import (
    Objective,
    RecordStore,
    SearchRecord,
    TrialRecord,
    TrialState,
    list_searches,
)
from mixfront.tracking.scrub import scrub, scrub_text
from mixfront.tracking.writer import MlflowWriter

__all__ = [
    "MlflowWriter",
    "Objective",
    "RecordStore",
    "SearchRecord",
    "TrialRecord",
    "TrialState",
    "absolute_storage",
    "check_reachable",
    "default_storage",
    "list_searches",
    "locate_search",
    "scrub",
    "scrub_text",
]
