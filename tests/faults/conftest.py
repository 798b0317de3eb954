"""Random faults for the rows, and a finished search that agrees in all its stores."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient
from tests.faults.injections import COST, Faults, runs_of, summary
from tests.faults.invariants import (
    Journal,
    check_budget,
    check_journal,
    check_states,
    check_study,
)
from tests.faults.tracking_invariants import check_mlflow, check_spool

from mixfront.records import RecordStore, SearchRecord, TrialRecord, TrialState
from mixfront.spec.objectives import Objective
from mixfront.spec.search_config import SearchConfig
from mixfront.tracking import MlflowWriter
from mixfront.tracking.client import connect


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a row until it has injected enough faults."""
    if "faults" in metafunc.fixturenames:
        runs = runs_of(metafunc)
        ids = [f"seed-{seed}" for seed, _ in runs]
        metafunc.parametrize("faults", runs, indirect=True, ids=ids)


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> Iterator[Faults]:
    """The faults to inject in one run of a row; the run must inject all of them."""
    seed, count = request.param
    row = request.node.originalname.removeprefix("test_").replace("_", " ")
    faults = Faults(row, count, random.Random(f"{row} {seed}"))
    yield faults
    assert faults.injected == count, f"only {faults.injected} of {count} faults were injected"
    request.node.user_properties.append((COST, [row, count, faults.lost_s]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many faults of each kind were injected, and what they cost."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    ended = [report for report in reports if getattr(report, "when", None) == "teardown"]
    properties = [pair for report in ended for pair in report.user_properties]
    for line in summary([tuple(value) for name, value in properties if name == COST]):
        terminalreporter.write_line(line)


@dataclass
class FinishedSearch:
    """The stores of one search, and everything that the checker reads."""

    search: SearchRecord
    store: RecordStore
    study: optuna.Study
    client: MlflowClient
    limits: SearchConfig
    journal: Journal = field(default_factory=Journal)

    def faults(self) -> list[str]:
        """What does not hold."""
        records = self.store.trials()
        return [
            *check_study(records, self.study),
            *check_states(self.store.search(), records),
            *check_journal(records, self.journal),
            *check_spool(self.store),
            *check_mlflow(self.search, records, self.client),
            *check_budget(self.limits, records),
        ]

    def change(self, trial_id: str, **changes: Any) -> None:
        """Change the record of a trial and nothing else."""
        self.store.save_trial(self.store.trial(trial_id).model_copy(update=changes))

    def run_id(self, trial_id: str) -> str:
        """The MLflow run of a trial."""
        return str(self.store.trial(trial_id).run_id)


@pytest.fixture(scope="session")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests, as making its tables takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mixfront.db"


@pytest.fixture
def finished(tracking_uri: str, tmp_path: Path) -> FinishedSearch:
    """One complete and one failed trial."""
    objectives = [
        Objective(metric="auc", direction="max"),
        Objective(metric="flops", direction="min"),
    ]
    search = SearchRecord(
        search_id=f"s-{tmp_path.name}",
        name="s",
        spec={"name": "s", "data": {"path": "/logs"}},
        objectives=objectives,
        reference_point=[0.5, 12.0],
        optuna_storage="",
        tracking_uri=tracking_uri,
        experiment="faults",
    )
    store = RecordStore(str(tmp_path), "s")
    store.create(search)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["maximize", "minimize"])
    limits = SearchConfig(trials=2, time=60, accelerator_hours=0.01)
    made = FinishedSearch(search, store, study, connect(tracking_uri), limits)
    writer = MlflowWriter(search, store)
    writer.open_search()
    _complete(made, writer)
    _fail(made, writer)
    search.state, search.ended_because = "finished", "the trial budget is spent"
    store.save_search(search)
    assert writer.close(search)
    for trial_id in ("0", "1"):
        made.change(trial_id, run_id=writer.run_id(trial_id))
    made.journal.observe(store.trials())
    return made


def _complete(made: FinishedSearch, writer: MlflowWriter) -> None:
    record = _started(made, writer)
    for step, auc in ((5, 0.6), (10, 0.7)):
        writer.log_evaluation(record, step, {"auc": auc, "logloss": 0.5})
    record.metrics, record.values = {"auc": 0.7, "logloss": 0.5}, {"auc": 0.7, "flops": 1e9}
    record.state, record.fidelity, record.accelerator_seconds = TrialState.COMPLETE, 1.0, 20.0
    made.study.tell(int(record.trial_id), [0.7, 1e9])
    _end(made, writer, record)


def _fail(made: FinishedSearch, writer: MlflowWriter) -> None:
    record = _started(made, writer)
    record.state, record.error = TrialState.FAILED, "CUDA out of memory"
    made.study.tell(int(record.trial_id), state=optuna.trial.TrialState.FAIL)
    _end(made, writer, record)


def _started(made: FinishedSearch, writer: MlflowWriter) -> TrialRecord:
    number = made.study.ask().number
    record = TrialRecord(
        trial_id=str(number),
        family="unimixer",
        config={"family": "unimixer"},
        costs={"flops": 1e9},
        started=1.0,
    )
    writer.open_trial(record)
    made.journal.start(record.trial_id)
    return record


def _end(made: FinishedSearch, writer: MlflowWriter, record: TrialRecord) -> None:
    record.ended = 2.0
    made.store.save_trial(record)
    writer.close_trial(record)
