"""Two drivers of one search never both train: Ray is a fake, records, study and MLflow are not."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest
from rich.console import Console

from mixfront.cli.drive import drive
from mixfront.cluster.connection import Cluster
from mixfront.data.synthetic.writer import write_synthetic
from mixfront.exceptions import DriverError
from mixfront.pool.leases import LaneUse
from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.pool.status import LaneStatus
from mixfront.records import RecordStore, SearchRecord, TrialState
from mixfront.search.driver.hold import hold_lease
from mixfront.search.driver.lease import DriverLease, LeaseTimes
from mixfront.search.driver.lease_table import LeaseTable
from mixfront.search.driver.status import driver_of
from mixfront.search.prepare import prepare_search
from mixfront.search.run import SearchResult
from mixfront.search.scheduler import SearchScheduler
from mixfront.search.searcher import LaneSearcher
from mixfront.spec.search_spec import load_spec
from mixfront.tracking.client import connect
from mixfront.tracking.spool import Spool

TRIALS = 3
Tune = Callable[[LaneSearcher, SearchScheduler, Any], Any]


class FakePool:
    """Lanes that are always ready."""

    name = "pool"

    def release(self, _trial_id: str) -> None: ...

    def abort_all(self, _reason: str) -> None: ...

    def status(self) -> list[Any]:
        return [
            LaneStatus(
                lane=0,
                use=LaneUse.FREE,
                warm=True,
                trial_id=None,
                generation=1,
                deaths=0,
                last_error=None,
                usable=True,
            )
        ]

    def close(self) -> None: ...


@dataclass
class World:
    """A prepared search, and lanes that call `between` after the first half of every trial."""

    store: RecordStore
    search: SearchRecord
    between: Callable[[], None] = lambda: None

    slept: float = 0.0  # seconds

    def drive(self) -> SearchResult:
        """Run the search like `mixfront search run` or `resume`."""
        return drive(self.store, self.store.search(), Console(quiet=True))

    def lane(self, request: Mapping[str, Any]) -> Iterator[TrialReport]:
        """Train one trial in two steps."""
        for step, fidelity in enumerate((0.5, 1.0), 1):
            done = fidelity == 1
            yield TrialReport(
                trial_id="",
                status=TrialStatus.COMPLETE if done else TrialStatus.RUNNING,
                fidelity=fidelity,
                step=step,
                metrics={"auc": 0.7 + int(request["trial_id"]) / 100},
                checkpoint=f"{self.store.trial_url(request['trial_id'])}/step-{step}",
            )
            if not done:
                self.between()


@pytest.fixture
def world(
    tmp_path: Path, tracking_uri: str, monkeypatch: pytest.MonkeyPatch, fake_tune: type[Any]
) -> World:
    monkeypatch.setenv("MIXFRONT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_synthetic(tmp_path / "demo-data", 1500, 0)
    changes = {
        "name": tmp_path.name,
        "tracking.uri": tracking_uri,
        "search.trials": TRIALS,
        "search.enqueue": "[]",
        "training.precision": "fp32",
        "storage": tmp_path / "searches",
        "optuna_storage": f"sqlite:///{tmp_path}/optuna.db",
    }
    spec = load_spec("demo", [f"{key}={value}" for key, value in changes.items()])
    world = World(*prepare_search(spec, Console(quiet=True)))

    @contextmanager
    def fake_connect(_trial: Any) -> Iterator[Cluster]:
        yield Cluster(address="nowhere", local=True, num_lanes=1)

    def run_tune(searcher: LaneSearcher, scheduler: SearchScheduler, _scratch: str) -> None:
        fake_tune(searcher, scheduler, world.lane).run(10_000)

    monkeypatch.setattr("mixfront.cluster.connection.connect", fake_connect)
    lease = partial(DriverLease, clock=lambda: time.monotonic() + world.slept)
    monkeypatch.setattr("mixfront.search.driver.hold.DriverLease", lease)
    monkeypatch.setattr("mixfront.search.run.LanePool.start", lambda *_: FakePool())
    monkeypatch.setattr("mixfront.search.run.run_tune", run_tune)
    return world


def assert_nothing_is_logged_twice(world: World) -> None:
    """No number of the spool and no step in MLflow is used twice."""
    numbers = Counter(update.seq for update in Spool(f"{world.store.url}/spool").replay())
    assert [seq for seq, count in numbers.items() if count > 1] == []
    client = connect(world.search.tracking_uri)
    for trial in world.store.trials():
        assert trial.run_id is not None
        steps = [metric.step for metric in client.get_metric_history(trial.run_id, "auc")]
        assert steps == [1, 2]


def test_a_second_driver_is_refused_before_it_changes_anything(world: World) -> None:
    """`search resume` starts while the first trial of `search run` is half trained."""
    refused: list[str] = []

    def resume() -> None:
        world.between = lambda: None
        before = world.store.trials()
        with pytest.raises(DriverError) as caught:
            world.drive()
        refused.append(str(caught.value))
        assert world.store.trials() == before

    world.between = resume
    result = world.drive()
    assert [f"search {world.search.name!r} is run by" in message for message in refused] == [True]
    assert result.search.state == "finished"
    assert [trial.state for trial in result.trials] == [TrialState.COMPLETE] * TRIALS
    study = optuna.load_study(
        study_name=world.search.search_id, storage=world.search.optuna_storage
    )
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * TRIALS
    assert_nothing_is_logged_twice(world)


def test_a_driver_that_is_taken_over_stops_writing(world: World) -> None:
    """The first driver sleeps through its time to live, and the second finishes the search."""
    results: list[SearchResult] = []

    def sleep_and_be_replaced() -> None:
        world.between = lambda: None
        world.slept += LeaseTimes().take_over_after
        table = LeaseTable(world.search.optuna_storage)
        row = table.read(world.search.search_id)
        assert row is not None
        assert table.release(world.search.search_id, row.epoch, row.owner)  # as if it were old
        results.append(world.drive())

    world.between = sleep_and_be_replaced
    first = world.drive()
    assert first.search.state == "interrupted"
    assert "lease could not be renewed for 9" in str(first.search.ended_because)
    assert results[0].search.state == "finished"
    assert world.store.search().state == "finished"
    assert [trial.state for trial in world.store.trials()] == [TrialState.COMPLETE] * TRIALS
    assert_nothing_is_logged_twice(world)


def test_the_lease_of_a_moved_search_is_in_its_moved_study(world: World, tmp_path: Path) -> None:
    """The record still names the study's file in the folder before the move."""
    study = f"sqlite:///{world.store.url}/optuna.db"
    world.store.save_search(world.search.model_copy(update={"optuna_storage": study}))
    (tmp_path / "searches").rename(tmp_path / "moved")
    moved = RecordStore(str(tmp_path / "moved"), world.search.name)
    with hold_lease(moved, moved.search(), Console(quiet=True)):
        table = LeaseTable(f"sqlite:///{moved.url}/optuna.db")
        assert table.read(world.search.search_id) is not None
        status = driver_of(moved, moved.search())
    assert status is not None
    assert status.is_alive
    assert not (tmp_path / "searches").exists()
