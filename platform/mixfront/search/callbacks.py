"""Who hears of every trial: MLflow, the front, and the person at the terminal."""

from collections.abc import Callable

from mixfront.pareto.publish import publish_front
from mixfront.pool.report import TrialReport
from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.search.progress import ProgressDisplay
from mixfront.tracking.writer import MlflowWriter


class TrackingCallbacks:
    """The searcher's hooks.

    Args:
        search: The search.
        store: Its records.
        writer: Told what MLflow is to know.
        progress: Told what the terminal shows.
    """

    def __init__(
        self,
        search: SearchRecord,
        store: RecordStore,
        writer: MlflowWriter,
        progress: ProgressDisplay,
    ) -> None:
        self._search = search
        self._writer = writer
        self._progress = progress
        self._trials = {trial.trial_id: trial for trial in store.trials()}

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


def page_of(search: SearchRecord, store: RecordStore) -> Callable[[], str]:
    """Makes the interactive front from the records as they are when it is called."""

    def page() -> str:
        from mixfront.pareto.page import front_page

        return front_page(search, store.trials())

    return page
