"""One driver of one search: Tune, the lanes, the study, the trackers; from start to a true end."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ray import tune
from rich.console import Console

from mixfront.data import Encoder
from mixfront.exceptions import LaneError
from mixfront.pareto.front import Front, front_of
from mixfront.pareto.publish import publish_front
from mixfront.pool.pool import LanePool
from mixfront.pool.report import TrialReport
from mixfront.pool.trial import LaneTrial
from mixfront.records import RecordStore, SearchRecord, TrialRecord
from mixfront.search.budget import Budget
from mixfront.search.callbacks import TrackingCallbacks, page_of
from mixfront.search.cost_check import ModelCosts
from mixfront.search.interruption import Interruption
from mixfront.search.progress import ProgressDisplay
from mixfront.search.proposals import Proposals
from mixfront.search.reconcile import reconcile
from mixfront.search.request import make_request
from mixfront.search.scheduler import SearchScheduler
from mixfront.search.searcher import LaneSearcher
from mixfront.search.study import elapsed_seconds, open_study
from mixfront.spaces import load_space
from mixfront.spec.search_spec import SearchSpec
from mixfront.tracking.writer import MlflowWriter

PROXY_CPUS = 0.01  # of Tune's trial actor, which only passes commands on to its lane

# Read by Ray Tune when it starts: our searcher validates results, our handler takes Ctrl-C, and
# nobody reads the files that its loggers would write.
_TUNE_ENV = {
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_WARN_THRESHOLD_S": "60",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """How a driver's part of a search ended."""

    search: SearchRecord
    trials: list[TrialRecord]
    front: Front
    delivered: bool  # whether MLflow knows everything


def run_search(
    store: RecordStore, search: SearchRecord, num_lanes: int, console: Console
) -> SearchResult:
    """Run a prepared search, or go on with an interrupted one, until its end.

    Args:
        store: Its records; what they hold of earlier drivers is taken up.
        search: Its record.
        num_lanes: Lanes that the cluster has room for.
        console: Where progress is shown.

    Raises:
        LaneError: If no lane can be kept alive.
        SpecError: If the study does not belong to the records.
    """
    spec = SearchSpec.model_validate(search.spec)
    drive = _Driver(spec, store, search, console)
    search.state, search.ended_because = "running", None
    store.save_search(search)
    with drive.tracked():
        pool = LanePool.start(search.search_id, num_lanes, spec.trial, store.url)
        try:
            drive.tune(pool, num_lanes)
        finally:
            pool.close()
            drive.note_end()
    return SearchResult(
        search=search,
        trials=store.trials(),
        front=front_of(store.trials(), search.objectives, search.reference_point),
        delivered=drive.delivered,
    )


class _Driver:
    """The parts of one driver, and the order in which they begin and end."""

    def __init__(
        self, spec: SearchSpec, store: RecordStore, search: SearchRecord, console: Console
    ) -> None:
        self._spec, self._store, self._search = spec, store, search
        study = open_study(spec, search.optuna_storage, search.search_id)
        assert search.encoder is not None, "prepare_search() fits one before the record is written"
        layout = Encoder.load(search.encoder).layout
        self._space = load_space(spec.space)
        costs = ModelCosts.of_spec(spec, layout)
        self._proposals = Proposals.of_spec(spec, study, self._space, costs)
        self._reconciled = reconcile(store, self._proposals)
        trials = store.trials()
        self._budget = Budget(spec.search).resume(trials, elapsed_seconds(study))
        left = self._budget.seconds_left()
        deadline = None if left is None else time.time() + left
        self._progress = ProgressDisplay(search, trials, spec.search.trials, deadline, console)
        self._writer = MlflowWriter(search, store, page=page_of(search, store))
        self.callbacks = TrackingCallbacks(search, store, self._writer, self._progress)
        self._searcher: LaneSearcher | None = None
        self._by_user = False
        self.delivered = False

    @contextmanager
    def tracked(self) -> Iterator[None]:
        """MLflow hears of everything between begin and end, and of the end itself."""
        self._writer.open_search(self._space.describe())
        self._writer.catch_up(self._store.trials())
        publish_front(self._writer, self._search, self._store.trials())
        try:
            with self._progress:
                yield
        finally:
            self._keep_run_ids()
            self.delivered = self._writer.close(self._search)
            self._keep_run_ids()

    def tune(self, pool: LanePool, num_lanes: int) -> None:
        """Tune's event loop, until the searcher has finished."""
        searcher = self._searcher = self._make_searcher(pool, num_lanes)
        scheduler = SearchScheduler(
            self._spec.stopping, self._proposals, self._budget, searcher.costs_of
        )

        def on_stop(reason: str) -> None:
            searcher.finish(reason)
            pool.abort_all(reason)

        interruption = Interruption(self._store.url, self._budget.overdrawn, on_stop)
        with _environment(_TUNE_ENV), interruption.watch():
            try:
                _fit(searcher, scheduler, self._store)
            finally:
                self._by_user = interruption.by_user
                searcher.interrupt(interruption.reason or "the driver's loop ended")

    def note_end(self) -> None:
        """Write down how it ended; whatever was interrupted can be resumed."""
        reason = self._searcher.ended_because if self._searcher else "no lane could be started"
        unfinished = [t for t in self._store.trials() if not t.state.is_finished]
        interrupted = self._by_user or bool(unfinished)
        self._search.state = "interrupted" if interrupted else "finished"
        self._search.ended_because = reason
        self._store.save_search(self._search)

    def _make_searcher(self, pool: LanePool, num_lanes: int) -> LaneSearcher:
        return LaneSearcher(
            self._proposals,
            self._store,
            self._budget,
            make_request=lambda r: make_request(self._spec, self._search, self._store, r),
            pool=pool.name,
            capacity=lambda: num_lanes,
            callbacks=_LaneReleasingCallbacks(self.callbacks, pool),
            unfinished=self._reconciled.unfinished,
            max_infeasible_in_a_row=self._spec.search.max_infeasible_in_a_row,
            max_failed_in_a_row=self._spec.search.max_failed_in_a_row,
        )

    def _keep_run_ids(self) -> None:
        """MLflow names runs when it gets to make them; records keep the names."""
        self._search.run_id = self._search.run_id or self._writer.run_id()
        self._store.save_search(self._search)
        for trial in self._store.trials():
            if trial.run_id is None and (run_id := self._writer.run_id(trial.trial_id)):
                trial.run_id = run_id
                self._store.save_trial(trial)


@dataclass(frozen=True)
class _LaneReleasingCallbacks:
    """The callbacks, and the lane given back when a trial ends, also when Tune stopped it."""

    callbacks: TrackingCallbacks
    pool: LanePool

    def on_start(self, record: TrialRecord) -> None:
        self.callbacks.on_start(record)

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        self.callbacks.on_result(record, report)

    def on_end(self, record: TrialRecord) -> None:
        self.pool.release(record.trial_id)
        self.callbacks.on_end(record)


def _fit(searcher: LaneSearcher, scheduler: SearchScheduler, store: RecordStore) -> None:
    """Run Tune. Its folder is scratch: records and study are the truth, nothing is restored."""
    tuner = tune.Tuner(
        tune.with_resources(LaneTrial, {"cpu": PROXY_CPUS}),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=f"driver-{time.time_ns()}", storage_path=f"{store.url}/tune", verbose=0
        ),
    )
    try:
        tuner.fit()
    except tune.TuneError as problem:
        raise LaneError(f"Ray Tune gave up: {problem}; `mixfront search resume` goes on") from None


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
