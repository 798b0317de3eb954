from .locate import locate_search
from .store import Extension, RecordStore, SearchRecord, TrialRecord, TrialState, list_searches

__all__ = [
    "Extension",
    "RecordStore",
    "SearchRecord",
    "TrialRecord",
    "TrialState",
    "list_searches",
    "locate_search",
]
