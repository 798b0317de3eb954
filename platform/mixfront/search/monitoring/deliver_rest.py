"""Sends MLflow what it could not receive before a search finished."""

from rich.console import Console

from mixfront.exceptions import TrackingError
from mixfront.records import RecordStore, SearchRecord
from mixfront.records.own_records import own_search
from mixfront.records.scrub import scrub_text
from mixfront.search.callbacks import TrackingCallbacks
from mixfront.search.driver.hold import hold_lease
from mixfront.search.limits.budget import Budget
from mixfront.search.monitoring.progress import ProgressDisplay
from mixfront.search.recorded_space import recorded_space
from mixfront.search.study import open_study
from mixfront.spec.search_spec import SearchSpec
from mixfront.terminal.waiting import waiting
from mixfront.tracking.client import check_reachable
from mixfront.tracking.spool import Spool


def deliver_rest(store: RecordStore, search: SearchRecord, console: Console) -> bool:
    """Deliver the rest of a finished search's updates.

    Args:
        store: The search's records.
        search: The search's record, with passwords.
        console: Where a wait is shown.

    Returns:
        False if MLflow had everything already; nothing was changed then.

    Raises:
        DriverError: If another driver has the search.
        TrackingError: If MLflow cannot be reached, or does not take all updates in a minute.
    """
    if not _is_undelivered(store):
        return False
    check_reachable(search.tracking_uri)
    with hold_lease(store, search, console) as fenced, waiting(console, "delivering to MLflow"):
        search = own_search(fenced, search)
        spec = SearchSpec.model_validate(search.spec)
        study = open_study(spec, search.optuna_storage, search.search_id)
        space = recorded_space(search, spec, study)
        progress = ProgressDisplay(search, fenced.trials(), Budget(spec.search), console)
        with TrackingCallbacks(search, fenced, space, progress) as callbacks:
            pass
    if not callbacks.delivered:
        raise TrackingError(
            f"MLflow at {scrub_text(search.tracking_uri)} did not take all updates of search "
            f"{search.name!r} in time; run the same command again"
        )
    return True


def _is_undelivered(store: RecordStore) -> bool:
    spool = Spool(f"{store.url}/spool", store.fence)
    updates = spool.replay()
    return bool(updates) and updates[-1].seq > spool.delivered().through
