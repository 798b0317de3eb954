"""Runs one driver of a search, from start to end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

from mixfront.pareto.front import Front, front_of
from mixfront.pool.pool import LanePool
from mixfront.records import RecordStore, SearchRecord, TrialRecord
from mixfront.records.data_check import data_change, refuse_changed_data
from mixfront.records.own_records import own_search, own_trial
from mixfront.records.retries import StorageRetries
from mixfront.search.callbacks import LaneReleasingCallbacks, TrackingCallbacks
from mixfront.search.driver.hold import hold_lease
from mixfront.search.limits.budget import Budget
from mixfront.search.limits.interruption import Interruption
from mixfront.search.limits.lane_supply import LaneSupply
from mixfront.search.limits.stop_file import StopFile
from mixfront.search.monitoring.metrics import MeteredCallbacks, SearchMetrics
from mixfront.search.monitoring.progress import ProgressDisplay
from mixfront.search.proposals import Proposals
from mixfront.search.reconcile import reconcile
from mixfront.search.request import RequestMaker
from mixfront.search.scheduler import SearchScheduler
from mixfront.search.searcher import LaneSearcher
from mixfront.search.study import elapsed_seconds
from mixfront.search.tune_loop import run_tune
from mixfront.spec.search_spec import SearchSpec


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The state of a search after a driver has run it."""

    search: SearchRecord
    trials: list[TrialRecord]
    front: Front
    delivered: bool  # whether MLflow has everything


def run_search(store: RecordStore, search: SearchRecord, console: Console) -> SearchResult:
    """Run a prepared search, or resume an interrupted one, until it ends.

    Args:
        store: The search's records; trials of earlier drivers are resumed or kept.
        search: The search's record.
        console: Where progress is shown.

    Raises:
        DriverError: If another driver runs the search.
        LaneError: If the lanes cannot be started.
        SpecError: If the study does not match the records.
        DataError: If the data set has changed since the search's earlier trials.
        StorageError: If the search or an unfinished trial names a file outside its folder, or if
            storage keeps failing until the end, so that the search's last state is not saved.
    """
    with hold_lease(store, search, console) as fenced:
        return _run_search(fenced, search, console)


def _run_search(store: RecordStore, search: SearchRecord, console: Console) -> SearchResult:
    storage = StorageRetries(search.name, fence=store.fence)
    store = store.with_retries(storage).in_memory()
    search = own_search(store, search)
    spec = SearchSpec.model_validate(search.spec)
    proposals = storage(lambda: Proposals.open(spec, search, store.fence))
    left_open = storage(lambda: reconcile(store, proposals)).unfinished
    unfinished = [own_trial(store, search, trial) for trial in left_open]
    trials = store.trials()
    if trials:
        refuse_changed_data(store, search)
    elapsed_s = storage(lambda: elapsed_seconds(proposals.study))
    budget = Budget(spec.search).resume(trials, elapsed_s)
    progress = ProgressDisplay(search, trials, budget, console)
    search.state, search.ended_because = "running", None
    store.save_search(search)
    with (
        storage(lambda: TrackingCallbacks(search, store, proposals.space, progress)) as callbacks,
        progress,
        _lanes(search, spec, store) as pool,
        SearchMetrics(search.name, trials, pool.status, callbacks.backlog) as metrics,
    ):
        progress.watch_lanes(pool.status)
        lanes = LaneSupply(pool.status, budget, search.name, min_lanes=_min_lanes(spec))
        searcher = LaneSearcher(
            proposals,
            store,
            budget,
            make_request=RequestMaker(spec, search, store),
            pool=pool.name,
            lanes=lanes,
            callbacks=MeteredCallbacks(LaneReleasingCallbacks(callbacks, pool), metrics),
            retry=storage,
            data_change=lambda: data_change(store, search),
            unfinished=unfinished,
            max_infeasible_in_a_row=spec.search.max_infeasible_in_a_row,
            max_failed_in_a_row=spec.search.max_failed_in_a_row,
        )
        scheduler = SearchScheduler(spec.stopping, proposals, budget, searcher.costs_of, storage)
        _run_to_end(searcher, scheduler, pool, lanes, budget, search, store, storage)
    trials = store.trials()
    return SearchResult(
        search=search,
        trials=trials,
        front=front_of(trials, search.objectives, search.reference_point),
        delivered=callbacks.delivered,
    )


def _max_lanes(spec: SearchSpec) -> int | None:
    """At most one lane per trial."""
    limits = (spec.trial.lanes.max, spec.search.trials)
    return min((limit for limit in limits if limit is not None), default=None)


def _min_lanes(spec: SearchSpec) -> int:
    return min(spec.trial.lanes.min, spec.search.trials or spec.trial.lanes.min)


@contextmanager
def _lanes(search: SearchRecord, spec: SearchSpec, store: RecordStore) -> Iterator[LanePool]:
    """The lane pool, closed at the end; a search that has not ended by then is interrupted."""
    reason = "no lane could be started"
    try:
        pool = LanePool.start(search.search_id, _max_lanes(spec), spec.trial, store.url)
        reason = "the driver failed"
        try:
            yield pool
        finally:
            pool.close()
    finally:
        if search.state == "running":
            search.state, search.ended_because = "interrupted", reason
        store.save_search(search)


def _run_to_end(
    searcher: LaneSearcher,
    scheduler: SearchScheduler,
    pool: LanePool,
    lanes: LaneSupply,
    budget: Budget,
    search: SearchRecord,
    store: RecordStore,
    storage: StorageRetries,
) -> None:
    """Run Tune until a budget is spent or the search is stopped, then set the search's state.

    Tune starts when the first lanes are ready: it cannot be interrupted while nothing runs.
    """

    def on_stop(reason: str) -> None:
        searcher.finish(reason)
        pool.abort_all(reason)

    interruption = Interruption(
        StopFile(store.url, storage),
        storage,
        budget.stops_running_trials,
        on_stop,
        lease=store.fence.closed_because,
    )
    with interruption.watch():
        try:
            reason = None
            if searcher.needs_lane:
                reason = lanes.wait_for_start(lambda: interruption.reason)
            if reason is None:
                run_tune(searcher, scheduler, f"{store.url}/tune")
            else:
                searcher.finish(reason)
        finally:
            searcher.interrupt(interruption.reason or "Ray Tune ended")
            search.ended_because = searcher.ended_because
            interrupted = (
                interruption.can_resume
                or lanes.failure is not None
                or storage.failure is not None
                or not store.fence.is_open
                or any(not trial.state.is_finished for trial in store.trials())
            )
            search.state = "interrupted" if interrupted else "finished"
