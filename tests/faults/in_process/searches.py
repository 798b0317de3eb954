"""Searches in simulated time that are driven, damaged, resumed and checked."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

import optuna
from optuna.storages import RDBStorage
from tests.bench.scale.simulated_lanes import Workload
from tests.bench.scale.simulated_pool import SimulatedPool
from tests.bench.scale.simulated_search import SimulatedSearch, made_up_auc, run_driver
from tests.faults.invariants import (
    Journal,
    check_budget,
    check_journal,
    check_states,
    check_study,
)
from tests.faults.tracking_invariants import check_mlflow, check_spool

from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.records.retries import OUTAGE_S, StorageRetries
from mixfront.search import run
from mixfront.search.driver import lease
from mixfront.tracking.client import connect

TRIALS, LANES = 12, 3
MAX_DRIVERS = 40  # a search that needs more does not get any further
_WORKLOAD = Workload(trial_s=60.0, evaluations=4, measure=made_up_auc)


@dataclass(frozen=True)
class TrainingLog:
    """The starts of trials on lanes, in a file that outlives killed drivers."""

    path: Path
    trials: Path  # folder of the records

    def add(self, trial_id: str) -> None:
        """Note that a lane begins to train a trial; called in the driver."""
        record = _record(self.trials / trial_id / "record.json")
        line = json.dumps(
            {"trial": trial_id, "complete": record is not None and _is_complete(record)}
        )
        with self.path.open("a") as file:
            file.write(line + "\n")

    def copy_to(self, journal: Journal) -> None:
        """Give all starts so far to a journal."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        starts = [json.loads(line) for line in lines]
        journal.starts = [start["trial"] for start in starts]
        journal.restarted = [start["trial"] for start in starts if start["complete"]]


class Waits:
    """Sleeps for a hundredth of the time; counts the rest, which real drivers would wait."""

    def __init__(self) -> None:
        self.skipped_s = 0.0

    def __call__(self, seconds: float) -> None:
        time.sleep(seconds / 100)
        self.skipped_s += seconds - seconds / 100


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
        self.log = TrainingLog(self.folder / f"{self.name}.jsonl", Path(self.store.url) / "trials")

    @property
    def record(self) -> SearchRecord:
        """The search's record, as the next driver will read it."""
        return SearchRecord.model_validate_json(Path(self.store.url, "search.json").read_bytes())

    @property
    def trials(self) -> list[TrialRecord]:
        """The trials' records, read without the storage's faults."""
        records = map(_record, self.log.trials.glob("*/record.json"))
        return [record for record in records if record is not None]

    def pool(self, on_train: Callable[[str], None] = lambda _: None) -> SimulatedPool:
        """Lanes that write the log; `on_train` is called after that."""

        def started(trial_id: str) -> None:
            self.log.add(trial_id)
            on_train(trial_id)

        return SimulatedPool(LANES, _WORKLOAD, started)

    def run_driver(self, pool: SimulatedPool | None = None) -> bool:
        """Run one driver until it ends; False if it ended with an error, which is kept."""
        try:
            with self._own_process():
                run_driver(RecordStore(*self.store.url.rsplit("/", 1)), pool or self.pool())
        except Exception as error:
            self.errors.append(error)
            return False
        finally:
            self.after_driver()
        assert check_states(self.record, self.trials) == []
        return True

    @contextmanager
    def _own_process(self) -> Iterator[None]:
        """Let a driver in this process see those before it as ended, and retry without waiting."""
        retries = partial(StorageRetries, sleep=self.waits, outage_s=self.outage_s)
        with (
            mock.patch.object(lease, "has_ended", return_value=True),
            mock.patch.object(run, "StorageRetries", retries),
        ):
            yield

    def after_driver(self) -> None:
        """Note what is complete once a driver has ended."""
        self.drivers += 1
        self.journal.observe(self.trials)

    def run_to_end(self) -> None:
        """Run drivers one after another until the search has finished."""
        while self.record.state != "finished":
            assert self.drivers < MAX_DRIVERS, self.errors
            self.run_driver()

    def faults(self) -> list[str]:
        """What does not hold at the end."""
        self.log.copy_to(self.journal)
        search, records = self.record, self.store.trials()
        study = _load_study(search.search_id, search.optuna_storage)
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


def _load_study(name: str, url: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=url)


def _record(path: Path) -> TrialRecord | None:
    """A trial's record; None if there is none, or it is damaged."""
    try:
        return TrialRecord.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _is_complete(record: TrialRecord) -> bool:
    return record.state is TrialState.COMPLETE
