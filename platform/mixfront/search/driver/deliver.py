"""Sends MLflow what it lacks of a search that has finished."""

from rich.console import Console

from mixfront.pareto.front import front_of
from mixfront.records import RecordStore, SearchRecord
from mixfront.records.own_records import own_search
from mixfront.records.retries import StorageRetries
from mixfront.search.callbacks import TrackingCallbacks
from mixfront.search.limits.budget import Budget
from mixfront.search.monitoring.progress import ProgressDisplay
from mixfront.search.proposals import Proposals
from mixfront.search.reconcile import reconcile
from mixfront.search.run import SearchResult
from mixfront.spec.search_spec import SearchSpec


def deliver_rest(store: RecordStore, search: SearchRecord, console: Console) -> SearchResult:
    """Deliver the updates of earlier drivers; no trial is started, and no lane.

    Args:
        store: The search's records, with the lease.
        search: The search's record.
        console: Where progress is shown.

    Raises:
        SpecError: If the study does not match the records.
        StorageError: If storage keeps failing.
    """
    storage = StorageRetries(search.name, fence=store.fence)
    store = store.with_retries(storage).in_memory()
    search = own_search(store, search)
    spec = SearchSpec.model_validate(search.spec)
    proposals = storage(lambda: Proposals.open(spec, search, store.fence))
    storage(lambda: reconcile(store, proposals))
    trials = store.trials()
    progress = ProgressDisplay(search, trials, Budget(spec.search), console)
    with TrackingCallbacks(search, store, proposals.space, progress) as callbacks:
        pass
    return SearchResult(
        search=search,
        trials=store.trials(),
        front=front_of(trials, search.objectives, search.reference_point),
        delivered=callbacks.delivered,
    )
