"""The system of record: what storage remembers of a search and its trials."""

from mixfront.records.locate import absolute_storage, default_storage, locate_search
from mixfront.records.scrub import scrub, scrub_text
from mixfront.records.store import (
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
    "absolute_storage",
    "default_storage",
    "list_searches",
    "locate_search",
    "scrub",
    "scrub_text",
]
