"""The system of record: the stored state of a search and its trials."""

from mixfront.records.locate import locate_search
from mixfront.records.scrub import scrub, scrub_text
from mixfront.records.store import (
    RecordStore,
    SearchRecord,
    TrialRecord,
    TrialState,
    list_searches,
)

__all__ = [
    "RecordStore",
    "SearchRecord",
    "TrialRecord",
    "TrialState",
    "list_searches",
    "locate_search",
    "scrub",
    "scrub_text",
]
