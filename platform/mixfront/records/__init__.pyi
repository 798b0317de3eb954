from .locate import locate_search
from .store import RecordStore, SearchRecord, TrialRecord, TrialState, list_searches

__all__ = [
    "RecordStore",
    "SearchRecord",
    "TrialRecord",
    "TrialState",
    "list_searches",
    "locate_search",
]
