"""Whether MLflow has everything of a search, as far as the search's folder tells."""

from mixfront.records import RecordStore
from mixfront.tracking.history import History
from mixfront.tracking.run_update import RunStatus
from mixfront.tracking.spool import Spool


def is_delivered(store: RecordStore) -> bool:
    """Whether a search that has ended has told MLflow so, and MLflow has every update.

    True for a search that never logged anything.
    """
    spool = Spool(f"{store.url}/spool", store.fence)
    mark, updates = spool.delivered(), spool.replay()
    history, status = History(), None
    for update in updates:
        history.add(update)
        if update.trial_id is None:
            status = update.status or status
    has_all = mark.through >= history.last_seq and mark.page >= history.page_seq
    return not updates or (has_all and status is not RunStatus.RUNNING)
