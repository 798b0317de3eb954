"""Searches in simulated time that are driven, damaged, resumed and checked."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

import optuna
from optuna.storages import RDBStorage
from tests.bench.scale.simulated_pool import SimulatedPool
from tests.bench.scale.simulated_search import SimulatedSearch, run_driver
from tests.faults.in_process.driver_process import Death, DriverProcess
from tests.faults.in_process.storage_calls import closed_connections
from tests.faults.in_process.training_log import LANES, WORKLOAD, TrainingLog
from tests.faults.invariants import (
    Journal,
    check_budget,
    check_journal,
    check_states,
    check_study,
)
from tests.faults.tracking_invariants import check_mlflow, check_spool

from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.records.credentials import with_credentials
from mixfront.records.retries import OUTAGE_S, StorageRetries
from mixfront.search import run
from mixfront.search.driver import lease
from mixfront.tracking.backlog import is_delivered
from mixfront.tracking.client import connect

TRIALS = 12
MAX_DRIVERS = 40  # a search that needs more does not get any further


class Waits:
    """Sleeps for a share of the time, and adds the rest to the clock of the retries."""

    def __init__(self, share: float = 0.01) -> None:
        self.skipped_s = 0.0
        self._share = share

    def __call__(self, seconds: float) -> None:
        time.sleep(seconds * self._share)
        self.skipped_s += seconds * (1 - self._share)

    def clock(self) -> float:
        """Monotonic seconds, as if it had slept."""
        return time.monotonic() + self.skipped_s


@dataclass
class FaultySearch:
    """A search whose drivers meet faults.

    Args:
        folder: Shared by all searches: the data, and MLflow's database.
        name: The search's name.
        overrides: More of its spec.
    """

    folder: Path
    name: str
    overrides: tuple[str, ...] = ()
    errors: list[Exception] = field(default_factory=list)  # with which drivers ended
    journal: Journal = field(default_factory=Journal)
    drivers: int = 0
    waits: Waits = field(default_factory=Waits)  # between attempts at a storage that fails
    outage_s: float = OUTAGE_S

    def __post_init__(self) -> None:
        database = f"optuna_storage=sqlite:///{self.folder}/{self.name}.db"
        made = SimulatedSearch(
            self.folder, TRIALS, (f"name={self.name}", database, *self.overrides)
        )
        self.store, self.limits = made.store, made.spec.search
        self.log = TrainingLog(self.folder / f"{self.name}.jsonl", Path(self.store.url))

    @property
    def record(self) -> SearchRecord:
        """The search's record, as the next driver will read it."""
        return SearchRecord.model_validate_json(Path(self.store.url, "search.json").read_bytes())

    @property
    def is_over(self) -> bool:
        """Whether the search has finished, and MLflow has everything."""
        read = StorageRetries(self.name, sleep=lambda _: None)  # the storage may be failing
        return self.record.state == "finished" and read(lambda: is_delivered(self.store))

    @property
    def trials(self) -> list[TrialRecord]:
        """The trials' records, read without the storage's faults."""
        return self.log.records()

    def pool(self, on_train: Callable[[str], None] = lambda _: None) -> SimulatedPool:
        """Lanes that write the log; `on_train` is called after that."""

        def started(trial_id: str) -> None:
            self.log.add(trial_id)
            on_train(trial_id)

        return SimulatedPool(LANES, WORKLOAD, started)

    def run_driver(self, pool: SimulatedPool | None = None) -> bool:
        """Run one driver until it ends.

        Returns:
            Whether it ended as it should; False if it had an error, which is kept, or lost its
            lease, after which it must not even write that it has ended.
        """
        try:
            with self._own_process():
                result = run_driver(
                    RecordStore(*self.store.url.rsplit("/", 1)), pool or self.pool()
                )
        except Exception as error:
            self.errors.append(error)
            return False
        finally:
            self.after_driver()
        if "lease could not be renewed" in str(result.search.ended_because):
            return False
        assert check_states(self.record, self.trials) == []
        return True

    @contextmanager
    def _own_process(self) -> Iterator[None]:
        """Let a driver in this process see those before it as ended, and retry without waiting."""
        retries = partial(
            StorageRetries, sleep=self.waits, clock=self.waits.clock, outage_s=self.outage_s
        )
        with (
            closed_connections(),
            mock.patch.object(lease, "has_ended", return_value=True),
            mock.patch.object(run, "StorageRetries", retries),
        ):
            yield

    @property
    def databases(self) -> tuple[str, str]:
        """The files of the study and of MLflow."""
        return f"{self.folder}/{self.name}.db", f"{self.folder}/mlflow.db"

    def start_driver(self, death: Death | None = None, pause_s: float = 0.0) -> DriverProcess:
        """Start a driver in a process of its own; `after_driver` must follow its end."""
        url = self.store.url
        return DriverProcess(url, self.log, self.databases, death=death, pause_s=pause_s)

    def after_driver(self) -> None:
        """Note the complete trials; call it when a driver has ended."""
        self.drivers += 1
        self.journal.observe(self.trials)

    def run_to_end(self) -> None:
        """Run drivers one after another until the search is over."""
        while not self.is_over:
            assert self.drivers < MAX_DRIVERS, self.errors
            self.run_driver()

    def faults(self) -> list[str]:
        """What does not hold at the end."""
        self.log.copy_to(self.journal)
        search, records = with_credentials(self.record), self.store.trials()
        study = optuna.load_study(study_name=search.search_id, storage=search.optuna_storage)
        complete = sum(map(_is_complete, records))
        lost = [] if complete == TRIALS else [f"{complete} of {TRIALS} trials are complete"]
        return [
            *lost,
            *study_faults(records, study),
            *check_states(search, records),
            *check_journal(records, self.journal),
            *check_spool(self.store),
            *check_mlflow(search, records, connect(search.tracking_uri)),
            *check_budget(self.limits, records),
        ]


def study_faults(records: list[TrialRecord], study: optuna.Study) -> list[str]:
    """What does not hold between records and study, whose connections are then closed."""
    try:
        return check_study(records, study)
    finally:
        storage = study._storage
        if isinstance(engine := getattr(storage, "_backend", storage), RDBStorage):
            engine.engine.dispose()


def _is_complete(record: TrialRecord) -> bool:
    return record.state is TrialState.COMPLETE
