"""The one writer to MLflow of a search: updates go to the spool first, a thread delivers them.

Nothing here makes the search wait for the server or fail because of it. A server that is away is
asked again, ever more slowly, for as long as the search runs; what is then still undelivered stays
in the spool, and the next writer of the same search delivers it.
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
from mixfront.tracking.run_contents import (
    DESCRIPTION_TAG,
    FRONT_FILE,
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
    """Tells MLflow of one search. Every public method but `flush` and `close` returns at once.

    Args:
        search: The search; its `tracking_uri` and `experiment` say where to.
        store: Its records; the spool lies beside them, and is replayed.
        on_run: Called from the writer's thread when a run was made or found, with the trial id
            (None = the search) and the run id. `run_id` can be asked instead.
        page: Makes the interactive front, as HTML; called from the writer's thread, seldom.
    """

    def __init__(
        self,
        search: SearchRecord,
        store: RecordStore,
        *,
        on_run: OnRun | None = None,
        page: Callable[[], str] | None = None,
    ) -> None:
        preload(search.tracking_uri)
        self._search = search
        self._spool = Spool(f"{store.url}/spool")
        self._history = History()
        self._lock = threading.Lock()
        mark, updates = self._spool.delivered(), self._spool.replay()
        for update in updates:
            self._history.add(update)
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
        )
        self._delivery = Delivery(
            self._spool,
            self._sender,
            [update for update in updates if update.seq > mark.through],
            page,
            self._history.page_seq,
        )

    def open_search(self, space: Any = None, texts: Mapping[str, str] | None = None) -> None:
        """Make the parent run, or go on with it.

        Args:
            space: The space that is sampled from, as plain data; becomes `space.yaml`.
            texts: More artifacts: path -> content.
        """
        self._tell(None, **search_started(self._search, space, texts or {}))

    def open_trial(self, trial: TrialRecord) -> str | None:
        """Make the trial's run, before it trains, or go on with it.

        Returns:
            Its run id, if that is known already.
        """
        if trial.run_id is not None:
            self._sender.runs.setdefault(trial.trial_id, trial.run_id)
        self._tell(trial.trial_id, **trial_started(self._search, trial))
        return self.run_id(trial.trial_id)

    def log_evaluation(
        self, trial: TrialRecord | str, step: int, metrics: Mapping[str, float]
    ) -> None:
        """Metrics of one evaluation. A value for a metric and step that has one is left out.

        Args:
            trial: The trial, or its id.
            step: Optimizer steps so far.
            metrics: Name -> value.
        """
        trial_id = trial if isinstance(trial, str) else trial.trial_id
        self._tell(trial_id, metrics=as_metrics(metrics), step=step)

    def close_trial(self, trial: TrialRecord) -> None:
        """The trial ended, or was interrupted: its state, status, costs and error."""
        self._tell(trial.trial_id, **trial_ended(trial))

    def catch_up(self, trials: Iterable[TrialRecord]) -> None:
        """Tell of trials whose records say more than MLflow was told: the records are the truth.

        For a search that is resumed after its driver was killed between record and spool.
        """
        for trial in trials:
            told = self._history.state_of(trial.trial_id)
            if told is None:
                self.open_trial(trial)
            if told != str(trial.state) and trial.state.is_finished:
                self.close_trial(trial)

    def log_front(
        self,
        front: Mapping[str, Any],
        ranks: Mapping[str, int],
        *,
        step: int,
        hypervolume: float,
        description: str | None = None,
    ) -> None:
        """The front after another trial.

        Args:
            front: As `mixfront pareto --json` prints it.
            ranks: Trial id -> rank of every complete trial; 0 = on the front.
            step: Complete trials so far; the step of the metric `hypervolume`.
            hypervolume: Of this front.
            description: Markdown for the top of the search's page.
        """
        text = json.dumps(scrub(front), indent=1)
        words: dict[str, Any] = {"metrics": {"hypervolume": hypervolume}}
        if self._history.is_new_front(text):
            words["texts"] = {FRONT_FILE: text}
            words["tags"] = {DESCRIPTION_TAG: as_tag(description)} if description else {}
        self._tell(None, step=step, **words)
        for trial_id, rank in self._history.new_ranks(ranks).items():
            self._tell(trial_id, tags={RANK_TAG: str(rank)})

    def run_id(self, trial_id: str | None = None) -> str | None:
        """The run of a trial, or of the search; None while MLflow has not made it."""
        return self._sender.runs.get(trial_id or "")

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until MLflow knows all that it was told so far; False if time runs out first."""
        return self._delivery.flush(timeout)

    def close(self, search: SearchRecord | None = None, timeout: float = 60.0) -> bool:
        """Tell of the search's state, deliver what is left, and end the thread.

        Args:
            search: Its record as it is now; None = say nothing of its state.
            timeout: Seconds to wait for the server.

        Returns:
            Whether MLflow knows everything. If not, the rest is in the spool, and the next writer
            of this search delivers it.
        """
        if search is not None:
            self._tell(None, **search_ended(search))
        is_delivered = self._delivery.close(timeout)
        self._spool.close()
        return is_delivered

    def _tell(self, trial_id: str | None, *, step: int = 0, **words: Any) -> None:
        with self._lock:
            words["metrics"] = self._history.new_metrics(trial_id, step, words.get("metrics", {}))
            if not any(words.values()):
                return
            update = RunUpdate(
                seq=self._history.last_seq + 1,
                time_ms=int(time.time() * 1000),
                trial_id=trial_id,
                step=step,
                **words,
            )
            self._history.add(update)
            self._keep(update)
            self._delivery.put(update)

    def _keep(self, update: RunUpdate) -> None:
        try:
            self._spool.append(update)
        except OSError as problem:  # a full disk must not end a search
            logger.warning("an update for MLflow cannot be kept in the spool: %s", problem)


def _ignore(trial_id: str | None, run_id: str) -> None:
    """Nobody wants to know."""
    del trial_id, run_id
