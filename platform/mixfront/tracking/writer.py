"""The single writer of a search to MLflow: updates go to the spool, and a thread delivers them.

The search never waits for the server and never fails because of it. If the server is unreachable,
delivery is retried with backoff while the search runs. What is undelivered at the end stays in
the spool, and the next writer of the same search delivers it.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mixfront.records.scrub import scrub
from mixfront.records.store import RecordStore, SearchRecord, TrialRecord
from mixfront.tracking.client import preload
from mixfront.tracking.delivery import Delivery
from mixfront.tracking.history import History
from mixfront.tracking.logged_metrics import LoggedMetrics
from mixfront.tracking.refused import REFUSED_TAG, TABLE_TAGS, refused
from mixfront.tracking.run_contents import (
    DESCRIPTION_TAG,
    FRONT_FILE,
    MODEL_TAG,
    RANK_TAG,
    as_metrics,
    as_tag,
    search_ended,
    search_started,
    trial_ended,
    trial_started,
)
from mixfront.tracking.run_update import RunUpdate
from mixfront.tracking.sender import MlflowSender
from mixfront.tracking.spool import Spool

logger = logging.getLogger(__name__)

OnRun = Callable[[str | None, str], None]


class MlflowWriter:
    """Logs one search to MLflow. Every public method except `flush` and `close` returns at once.

    Args:
        search: The search, with its `tracking_uri` and `experiment`.
        store: The search's records; the spool is next to them, and is replayed.
        on_run: Called from the writer's thread when a run is created or found, with the trial id
            (None = the search) and the run id; `run_id` is an alternative.
        pages: Renders the artifacts of the search's run that are replaced as a whole (path ->
            content); called rarely, from the writer's thread.
    """

    def __init__(
        self,
        search: SearchRecord,
        store: RecordStore,
        *,
        on_run: OnRun | None = None,
        pages: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        preload(search.tracking_uri)
        self._search = search
        self._spool = Spool(f"{store.url}/spool", store.fence)
        self._history = History()
        self._lock = threading.Lock()
        mark, updates = self._spool.delivered(), self._spool.replay()
        self._spool.mark(mark)  # from here on, marks of earlier drivers are ignored
        for update in updates:
            self._history.add(update)
        self._history.reach(mark.through)
        runs = dict(mark.runs)
        if search.run_id is not None:
            runs.setdefault("", search.run_id)
        self._sender = MlflowSender(
            search.tracking_uri,
            search.experiment,
            search.search_id,
            runs,
            on_run or _ignore,
            store.url,
            LoggedMetrics(runs.values() if self._history.has_gaps else ()),
        )
        self._delivery = Delivery(
            self._spool,
            self._sender,
            [update for update in updates if update.seq > mark.through],
            pages,
            self._history.page_seq,
            store.fence,
        )

    @property
    def backlog(self) -> int:
        """Number of updates that MLflow does not have yet."""
        return self._delivery.backlog

    def open_search(self, space: Any = None, texts: Mapping[str, str] | None = None) -> None:
        """Create the parent run, or continue it.

        Args:
            space: The search space as plain data; logged as `space.yaml`.
            texts: More artifacts: path -> content.
        """
        self._log(None, **search_started(self._search, space, texts or {}))

    def open_trial(self, trial: TrialRecord) -> str | None:
        """Create the trial's run before it trains, or continue it.

        Returns:
            The run id, if it is already known.
        """
        if trial.run_id is not None:
            self._sender.runs.setdefault(trial.trial_id, trial.run_id)
        self._log(trial.trial_id, **trial_started(self._search, trial))
        return self.run_id(trial.trial_id)

    def log_evaluation(
        self, trial: TrialRecord | str, step: int, metrics: Mapping[str, float]
    ) -> None:
        """Log the metrics of one evaluation; a metric that has a value at this step is skipped.

        Args:
            trial: The trial, or its id.
            step: Optimizer steps so far.
            metrics: Name -> value.
        """
        trial_id = trial if isinstance(trial, str) else trial.trial_id
        self._log(trial_id, metrics=as_metrics(metrics), step=step)

    def close_trial(self, trial: TrialRecord) -> None:
        """Log a trial's state, status, costs and error when it ends or is interrupted."""
        self._log(trial.trial_id, **trial_ended(trial))

    def catch_up(self, trials: Iterable[TrialRecord]) -> None:
        """Log trials whose records are ahead of MLflow.

        Needed when a search is resumed after its driver was killed between record and spool.
        """
        trials = list(trials)
        self.log_refused(len(refused(trials)))
        for trial in trials:
            if trial.is_refused:
                continue
            logged_state = self._history.state_of(trial.trial_id)
            if logged_state is None:
                self.open_trial(trial)
            if logged_state != str(trial.state) and trial.state.is_finished:
                self.close_trial(trial)

    def log_files_deleted(self, trial_id: str) -> None:
        """Log that a trial's exported model was deleted under the spec's `keep:`."""
        self._log(trial_id, tags={MODEL_TAG: "deleted by the search's `keep:`"})

    def log_refused(self, count: int) -> None:
        """Log that `count` configurations have been refused before training; their table, one of
        the pages, is replaced soon."""
        if count != self._history.num_refused:
            self._log(None, tags={REFUSED_TAG: str(count), **TABLE_TAGS})

    def log_front(
        self,
        front: Mapping[str, Any],
        ranks: Mapping[str, int],
        *,
        step: int,
        hypervolume: float,
        description: str | None = None,
    ) -> None:
        """Log the front after a trial has completed.

        Args:
            front: The output of `mixfront pareto --json`.
            ranks: Trial id -> rank, for every complete trial; 0 = on the front.
            step: Number of complete trials so far; the step of the metric `hypervolume`.
            hypervolume: Hypervolume of this front.
            description: Markdown for the top of the search's page.
        """
        text = json.dumps(scrub(front), indent=1)
        fields: dict[str, Any] = {"metrics": {"hypervolume": hypervolume}}
        if self._history.is_new_front(text):
            fields["texts"] = {FRONT_FILE: text}
            fields["tags"] = {DESCRIPTION_TAG: as_tag(description)} if description else {}
        self._log(None, step=step, **fields)
        for trial_id, rank in self._history.new_ranks(ranks).items():
            self._log(trial_id, tags={RANK_TAG: str(rank)})

    def run_id(self, trial_id: str | None = None) -> str | None:
        """The run id of a trial or of the search; None until MLflow has created the run."""
        return self._sender.runs.get(trial_id or "")

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until everything so far is delivered; False if that takes too long."""
        return self._delivery.flush(timeout)

    def close(self, search: SearchRecord | None = None, timeout: float = 60.0) -> bool:
        """Log the search's state, deliver what is left, and end the thread.

        Args:
            search: The search's current record; None = do not log its state.
            timeout: Seconds to wait for the server.

        Returns:
            Whether everything is delivered. If not, the rest is in the spool, and the next writer
            of this search delivers it.
        """
        if search is not None:
            self._log(None, **search_ended(search))
        is_delivered = self._delivery.close(timeout)
        self._spool.close()
        return is_delivered

    def _log(self, trial_id: str | None, *, step: int = 0, **fields: Any) -> None:
        """Spool and queue an update, unless nothing in it is new."""
        with self._lock:
            metrics = self._history.new_metrics(trial_id, step, fields.get("metrics", {}))
            fields["metrics"] = metrics
            if not any(fields.values()):
                return
            update = RunUpdate(
                seq=self._history.last_seq + 1,
                time_ms=int(time.time() * 1000),
                trial_id=trial_id,
                step=step,
                **fields,
            )
            self._history.add(update)
            self._append_to_spool(update)
            self._delivery.put(update)

    def _append_to_spool(self, update: RunUpdate) -> None:
        try:
            self._spool.append(update)
        except OSError as error:  # a full disk must not end a search
            logger.warning("an update for MLflow could not be written to the spool: %s", error)


def _ignore(trial_id: str | None, run_id: str) -> None:
    """The default `on_run`."""
    del trial_id, run_id
