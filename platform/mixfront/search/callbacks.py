"""Who is told of every trial: MLflow, the front, the terminal, and the lane that it leaves."""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from mixfront.pareto.publish import publish_front
from mixfront.pool.pool import LanePool
from mixfront.pool.report import TrialReport
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.search.progress import ProgressDisplay
from mixfront.search.searcher import TrialCallbacks
from mixfront.spaces import Space
from mixfront.tracking.writer import MlflowWriter


class TrackingCallbacks:
    """Tells MLflow and the terminal of a search; use as a context manager around it.

    Args:
        search: The search.
        store: Its records; what MLflow missed of earlier trials is told on entry.
        space: What is sampled from; an artifact of the search's run.
        progress: The terminal.
    """

    def __init__(
        self, search: SearchRecord, store: RecordStore, space: Space, progress: ProgressDisplay
    ) -> None:
        self._search = search
        self._store = store
        self._space = space
        self._progress = progress
        self._writer = MlflowWriter(search, store, page=_page_maker(search, store))
        self._trials = {trial.trial_id: trial for trial in store.trials()}
        self.delivered = False  # after the search: whether MLflow knows everything

    def __enter__(self) -> "TrackingCallbacks":
        trials = list(self._trials.values())
        self._writer.open_search(self._space.describe())
        self._writer.catch_up(trials)
        publish_front(self._writer, self._search, trials)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._save_run_ids()
        self.delivered = self._writer.close(self._search)
        self._save_run_ids()

    def on_start(self, record: TrialRecord) -> None:
        """A trial goes to a lane; its run is made before it trains."""
        self._trials[record.trial_id] = record
        record.run_id = self._writer.open_trial(record) or record.run_id
        self._progress.on_start(record)

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        """A trial reached an evaluation."""
        record.run_id = record.run_id or self._writer.run_id(record.trial_id)
        self._writer.log_evaluation(record, report.step, report.metrics)
        self._progress.on_result(record)

    def on_end(self, record: TrialRecord) -> None:
        """A trial ended."""
        self._trials[record.trial_id] = record
        if record.state is TrialState.INFEASIBLE and record.started is None:
            self._writer.open_trial(record)
        self._writer.close_trial(record)
        if record.state is TrialState.COMPLETE:
            publish_front(self._writer, self._search, list(self._trials.values()))
        self._progress.on_end(record)

    def _save_run_ids(self) -> None:
        """MLflow names a run when it makes it, which may be late; records keep the names."""
        self._search.run_id = self._search.run_id or self._writer.run_id()
        self._store.save_search(self._search)
        for trial in self._store.trials():
            if trial.run_id is None and (run_id := self._writer.run_id(trial.trial_id)):
                trial.run_id = run_id
                self._store.save_trial(trial)


@dataclass(frozen=True)
class LaneReleasingCallbacks:
    """Gives a trial's lane back when it ends, also when Tune stopped it.

    Args:
        callbacks: Who else is told.
        pool: The lanes.
    """

    callbacks: TrialCallbacks
    pool: LanePool

    def on_start(self, record: TrialRecord) -> None:
        """A trial goes to a lane."""
        self.callbacks.on_start(record)

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        """A trial reached an evaluation."""
        self.callbacks.on_result(record, report)

    def on_end(self, record: TrialRecord) -> None:
        """A trial ended."""
        self.pool.release(record.trial_id)
        self.callbacks.on_end(record)


def _page_maker(search: SearchRecord, store: RecordStore) -> Callable[[], str]:
    """Makes the interactive front from the records as they are when it is called."""

    def page() -> str:
        from mixfront.pareto.page import front_page

        return front_page(search, store.trials())

    return page
