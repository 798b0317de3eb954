"""Callbacks on a trial's events: MLflow, the front, the terminal, and its lane."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from mixfront.exceptions import StorageError
from mixfront.pareto.front import Front
from mixfront.pareto.publish import FrontPublisher
from mixfront.pool.pool import LanePool
from mixfront.pool.report import TrialReport
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.search.monitoring.progress import ProgressDisplay
from mixfront.search.retention import Retention
from mixfront.search.searcher import TrialCallbacks
from mixfront.spaces import Space
from mixfront.tracking.refused import REFUSED_FILE, refused, refused_table
from mixfront.tracking.writer import MlflowWriter

logger = logging.getLogger(__name__)


class TrackingCallbacks:
    """Reports a search to MLflow and the terminal; use it as a context manager around the search.

    Args:
        search: The search.
        store: The search's records; on entry, earlier trials that MLflow lacks are logged.
        space: The search space, logged as an artifact of the search's run.
        progress: The terminal output.
    """

    def __init__(
        self, search: SearchRecord, store: RecordStore, space: Space, progress: ProgressDisplay
    ) -> None:
        self._search = search
        self._store = store
        self._space = space
        self._progress = progress
        self._writer = MlflowWriter(search, store, pages=_page_maker(search, store))
        self._trials = {trial.trial_id: trial for trial in store.trials()}
        self._num_refused = len(refused(self._trials.values()))
        self._retention = Retention(store, str(search.spec.get("keep", "all")))
        self._front = FrontPublisher(self._writer, search)
        self.delivered = False  # after the search: whether MLflow has everything

    def __enter__(self) -> "TrackingCallbacks":
        trials = list(self._trials.values())
        self._writer.open_search(self._space.describe())
        self._writer.catch_up(trials)
        self._clean_up(self._front.publish(trials))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clean_up(self._front.publish_due(self._trials.values()))
        self._save_run_ids()
        self.delivered = self._writer.close(self._search)
        self._save_run_ids()

    def backlog(self) -> int:
        """Number of updates that MLflow does not have yet."""
        return self._writer.backlog

    def on_start(self, record: TrialRecord) -> None:
        """Create the trial's run, before it trains."""
        self._trials[record.trial_id] = record
        record.run_id = self._writer.open_trial(record) or record.run_id
        self._progress.on_start(record)

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        """Log an evaluation."""
        record.run_id = record.run_id or self._writer.run_id(record.trial_id)
        self._writer.log_evaluation(record, report.step, report.metrics)
        self._progress.on_result(record)

    def on_end(self, record: TrialRecord) -> None:
        """Close the trial's run; a complete trial updates the front.

        A configuration that was refused has no run: it is a row of a table.
        """
        self._trials[record.trial_id] = record
        if record.is_refused:
            self._num_refused += 1
            self._writer.log_refused(self._num_refused)
        else:
            self._writer.close_trial(record)
        if record.state is TrialState.COMPLETE:
            self._clean_up(self._front.publish(self._trials.values()))
        self._progress.on_end(record)

    def _clean_up(self, front: Front | None) -> None:
        """Delete the files that a new front makes superfluous."""
        for trial_id in self._retention.apply(front) if front is not None else ():
            self._writer.log_files_deleted(trial_id)

    def _save_run_ids(self) -> None:
        """Save the run ids from MLflow, which come late if the server was unreachable."""
        try:
            self._write_run_ids()
        except StorageError as error:  # the next driver finds the runs by their tags
            logger.warning("the ids of MLflow's runs were not saved: %s", error)

    def _write_run_ids(self) -> None:
        self._search.run_id = self._search.run_id or self._writer.run_id()
        self._store.save_search(self._search)
        for trial in self._store.trials():
            if trial.run_id is None and (run_id := self._writer.run_id(trial.trial_id)):
                trial.run_id = run_id
                self._store.save_trial(trial)


@dataclass(frozen=True)
class LaneReleasingCallbacks:
    """Releases a trial's lane when the trial ends, also when Tune stopped it.

    Args:
        callbacks: The callbacks to forward to.
        pool: The lanes.
    """

    callbacks: TrialCallbacks
    pool: LanePool

    def on_start(self, record: TrialRecord) -> None:
        """Forward only."""
        self.callbacks.on_start(record)

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        """Forward only."""
        self.callbacks.on_result(record, report)

    def on_end(self, record: TrialRecord) -> None:
        """Release the lane, then forward."""
        self.pool.release(record.trial_id)
        self.callbacks.on_end(record)


def _page_maker(search: SearchRecord, store: RecordStore) -> Callable[[], dict[str, str]]:
    """A function that renders, from the records at call time, the interactive front and the table
    of refused configurations."""

    def pages() -> dict[str, str]:
        from mixfront.pareto.page import front_page

        trials = store.trials()
        table = {REFUSED_FILE: refused_table(trials)} if refused(trials) else {}
        return {"front.html": front_page(search, trials), **table}

    return pages
