"""Lanes on a real Ray cluster: what a trial reports when its workers fail."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler

from mixfront.lanes import LaneSettings, TrialConfig
from mixfront.lanes.toy_session import ToyScript, ToySession
from mixfront.pool.leases import LaneUse
from mixfront.pool.pool import LanePool
from mixfront.pool.report import TrialReport
from mixfront.pool.trial import LaneTrial

pytestmark = pytest.mark.integration

SETTINGS = LaneSettings(
    hung_after_s=8,
    noop_interval_s=1,
    heartbeat_interval_s=0.5,
    check_interval_s=0.3,
    agree_after_error_s=3,
    memory_margin_mb=64,
)
CLUSTER_CPUS = 16  # as in conftest.py
PATIENCE_S = 120.0  # for operations that take a few seconds on an idle machine


class Lanes:
    """One lane, and trials on it without Tune."""

    def __init__(
        self, name: str, folder: Path, trial: TrialConfig, settings: LaneSettings
    ) -> None:
        self.folder = folder
        self.pool = LanePool.start(name, 1, trial, str(folder), ToySession, settings)
        self._numbers = iter(range(1000))

    def begin(self, script: ToyScript, resume_from: str | None = None) -> LaneTrial:
        """A trial before its first step."""
        trial_id = f"{next(self._numbers)}"
        request = script.request(str(self.folder), trial_id, resume_from)
        return LaneTrial({"pool": self.pool.name, "request": request.model_dump(mode="json")})

    def run(self, **script: Any) -> list[TrialReport]:
        """Run one trial; returns all its reports."""
        trial = self.begin(ToyScript(**script))
        results = [step(trial)]
        while not results[-1].is_last:
            results.append(step(trial))
        stop(trial)
        return results

    def wait_until(self, condition: Callable[[], bool], limit_s: float = PATIENCE_S) -> None:
        """Wait until `condition()` is true; fails after `limit_s`."""
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, self.pool.status()
            time.sleep(0.1)

    def wait_warm(self) -> int:
        """Wait for the worker group; returns its generation."""
        self.wait_until(lambda: self.pool.status()[0].warm)
        return self.pool.status()[0].generation

    def members(self) -> list[Any]:
        """The registered workers of the lane."""
        lane: Any = ray.get_actor(self.pool.name.removesuffix("s") + "-0")
        state: Any = ray.get(lane.state.remote())
        return list(state.members)


def step(trial: LaneTrial) -> TrialReport:
    """Run one step; returns the report that the searcher would read."""
    report = TrialReport.from_tune(trial.step())
    assert report is not None
    return report


def stop(trial: Any) -> None:
    """End a trial as Tune does with an actor that it does not reuse."""
    trial.stop()


@pytest.fixture
def in_background() -> Iterator[Callable[[LaneTrial], list[TrialReport]]]:
    """Runs one step of a trial in a thread, which appends its report to the returned list."""
    threads = []

    def start(trial: LaneTrial) -> list[TrialReport]:
        results: list[TrialReport] = []
        threads.append(threading.Thread(target=lambda: results.append(step(trial))))
        threads[-1].start()
        return results

    yield start
    for thread in threads:
        thread.join(timeout=60)


@contextmanager
def opened(
    factory: pytest.TempPathFactory,
    name: str,
    settings: LaneSettings = SETTINGS,
    isolation: Literal["lane", "process"] = "lane",
    **trial: Any,
) -> Iterator[Lanes]:
    config = TrialConfig(
        workers=2, max_failures=1, collective_timeout_s=20, isolation=isolation
    ).model_copy(update=trial)
    lanes = Lanes(name, factory.mktemp(name), config, settings)
    try:
        yield lanes
    finally:
        lanes.pool.close()
    lanes.wait_until(lambda: _reserved_groups() == 0)


def _reserved_groups() -> int:
    table = ray.util.placement_group_table()
    return sum(group["state"] != "REMOVED" for group in table.values())


@pytest.fixture(scope="class")
def lanes(
    request: pytest.FixtureRequest, ray_cluster: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lanes]:
    """One lane of two workers per test class, with the isolation that the class sets."""
    assert ray_cluster
    isolation = request.cls.isolation
    with opened(tmp_path_factory, isolation, isolation=isolation) as lanes:
        yield lanes


class StopEarly(FIFOScheduler):
    """Stops one trial at its first report."""

    def on_trial_result(self, _controller: Any, trial: Any, result: dict[str, Any]) -> str:
        report = TrialReport.from_tune(result)
        assert report is not None
        is_early = trial.config["request"]["trial_id"] == "tune1" and report.fidelity < 1
        return self.STOP if is_early else self.CONTINUE


class TestLane:
    """One worker group that runs one trial after another."""

    isolation = "lane"

    def test_consecutive_trials_run_in_the_same_processes(self, lanes: Lanes) -> None:
        generation = lanes.wait_warm()
        pids = {member.pid for member in lanes.members()}
        for steps, evaluations in ((4, 2), (9, 3), (1, 1)):
            results = lanes.run(steps=steps, evaluations=evaluations)
            assert [r.fidelity for r in results] == [
                (i + 1) / evaluations for i in range(evaluations)
            ]
            assert [r.status for r in results] == ["running"] * (evaluations - 1) + ["complete"]
            assert results[-1].metrics["ranks"] == 2
            assert (results[-1].model_url or "").endswith("/final")
            assert results[-1].accelerator_seconds > 0
        assert {member.pid for member in lanes.members()} == pids
        assert lanes.wait_warm() == generation

    @pytest.mark.parametrize("fault", ["error", "memory", "nan"])
    def test_a_failure_on_all_ranks_fails_the_trial_in_place(
        self, lanes: Lanes, fault: str
    ) -> None:
        generation = lanes.wait_warm()
        results = lanes.run(fault=fault, before_step=2)
        assert [r.status for r in results] == ["running", "failed"]
        assert "injected" in (results[-1].error or "")
        assert results[-1].attempts == 0
        assert (results[-1].checkpoint or "").endswith("step-2.json")
        assert lanes.run()[-1].status == "complete"
        assert lanes.wait_warm() == generation

    def test_an_error_on_one_rank_fails_the_trial_after_its_retries(self, lanes: Lanes) -> None:
        result = lanes.run(fault="error", rank=1)[-1]
        assert (result.status, result.attempts) == ("failed", 2)
        assert result.error == "rank 1: RuntimeError: injected error"

    def test_out_of_memory_on_one_rank_is_retried_from_the_checkpoint(self, lanes: Lanes) -> None:
        results = lanes.run(
            fault="memory", rank=1, before_step=3, once=str(lanes.folder / "memory")
        )
        assert [r.status for r in results] == ["running", "complete"]
        assert results[-1].attempts == 1

    def test_a_nan_on_one_rank_fails_the_trial_without_a_retry(self, lanes: Lanes) -> None:
        result = lanes.run(fault="nan", rank=1)[-1]
        assert (result.status, result.attempts) == ("failed", 1)
        assert "the loss is nan" in (result.error or "")
        assert lanes.run()[-1].status == "complete"

    def test_a_killed_worker_costs_the_trial_one_attempt(
        self, lanes: Lanes, in_background: Callable[[LaneTrial], list[TrialReport]]
    ) -> None:
        generation = lanes.wait_warm()
        trial = lanes.begin(ToyScript(steps=40, evaluations=2, step_seconds=0.05))
        assert step(trial).fidelity == 0.5
        results = in_background(trial)
        time.sleep(0.5)
        os.kill(lanes.members()[1].pid, signal.SIGKILL)
        lanes.wait_until(lambda: bool(results), PATIENCE_S)
        stop(trial)
        assert (results[0].status, results[0].attempts) == ("complete", 1)
        assert lanes.wait_warm() == generation + 1

    @pytest.mark.parametrize("rank", [None, 0])
    def test_the_watchdog_ends_a_hang(self, lanes: Lanes, rank: int | None) -> None:
        results = lanes.run(fault="hang", rank=rank, once=str(lanes.folder / f"hang{rank}"))
        assert (results[-1].status, results[-1].attempts) == ("complete", 1)
        assert "hang" in (lanes.pool.status()[0].last_error or "")

    def test_an_aborted_trial_stops_at_a_checkpoint_and_can_resume(
        self, lanes: Lanes, in_background: Callable[[LaneTrial], list[TrialReport]]
    ) -> None:
        lanes.wait_warm()
        trial = lanes.begin(ToyScript(steps=400, evaluations=1, step_seconds=0.05))
        results = in_background(trial)
        lanes.wait_until(lambda: lanes.pool.status()[0].trial_id is not None)
        time.sleep(1.0)
        lanes.pool.abort(trial.config["request"]["trial_id"], "enough")
        lanes.wait_until(lambda: bool(results))
        stop(trial)
        stopped = results[0]
        assert stopped.status == "interrupted"
        reached = int(Path(stopped.checkpoint or "").stem.removeprefix("step-"))
        assert 0 < reached < 400
        again = lanes.begin(ToyScript(steps=reached + 1, evaluations=1), stopped.checkpoint)
        assert step(again).status == "complete"
        stop(again)

    def test_leaked_memory_makes_the_lane_replace_its_processes(self, lanes: Lanes) -> None:
        generation = lanes.wait_warm()
        assert lanes.run()[-1].status == "complete"  # the baseline
        deaths = lanes.pool.status()[0].deaths
        assert lanes.run(leak_mb=200)[-1].status == "complete"
        assert lanes.run()[-1].status == "complete"
        lanes.wait_until(lambda: lanes.pool.status()[0].generation == generation + 1)
        assert "host memory are still held" in (lanes.pool.status()[0].last_error or "")
        assert lanes.pool.status()[0].deaths == deaths

    def test_tune_runs_trials_on_the_lane(self, lanes: Lanes) -> None:
        def config(number: int) -> dict[str, Any]:
            script = ToyScript(steps=2 + number, fault="error" if number == 2 else None)
            request = script.request(str(lanes.folder), f"tune{number}")
            return {"pool": lanes.pool.name, "request": request.model_dump(mode="json")}

        make_scheduler: Any = StopEarly
        scheduler = make_scheduler()
        results: Any = tune.Tuner(
            tune.with_resources(LaneTrial, {"cpu": 0.01}),
            param_space=tune.grid_search([config(number) for number in range(4)]),
            tune_config=tune.TuneConfig(
                reuse_actors=True, max_concurrent_trials=1, scheduler=scheduler
            ),
            run_config=tune.RunConfig(storage_path=str(lanes.folder), name="tune", verbose=0),
        ).fit()
        assert results.num_errors == 0
        reports = [TrialReport.from_tune(result.metrics) for result in results]
        statuses = {report.trial_id: report.status for report in reports if report is not None}
        assert statuses == {
            "tune0": "complete",
            "tune1": "running",
            "tune2": "failed",
            "tune3": "complete",
        }
        lanes.wait_until(lambda: lanes.pool.status()[0].use is LaneUse.FREE)

    def test_aborting_the_pool_interrupts_its_trials(
        self, lanes: Lanes, in_background: Callable[[LaneTrial], list[TrialReport]]
    ) -> None:
        trial = lanes.begin(ToyScript(steps=400, evaluations=1, step_seconds=0.05))
        results = in_background(trial)
        lanes.wait_until(lambda: lanes.pool.status()[0].trial_id is not None)
        lanes.pool.abort_all("the search was stopped")
        lanes.wait_until(lambda: bool(results))
        assert results[0].status == "interrupted"
        late = lanes.run()
        assert [r.status for r in late] == ["interrupted"]
        assert late[0].error == "the search was stopped"


@pytest.mark.usefixtures("ray_cluster")
def test_a_lane_may_idle_longer_than_the_collective_timeout(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    settings = LaneSettings.for_trial(TrialConfig(collective_timeout_s=5))
    with opened(
        tmp_path_factory, "idle", settings, collective_timeout_s=5, recycle_after=2
    ) as lanes:
        generation = lanes.wait_warm()
        time.sleep(20)
        assert lanes.run()[-1].status == "complete"
        status = lanes.pool.status()[0]
        assert (status.generation, status.deaths) == (generation, 0)
        assert lanes.run()[-1].status == "complete"
        lanes.wait_until(lambda: lanes.pool.status()[0].generation == generation + 1)
        assert lanes.pool.status()[0].last_error == "2 trials ran in these processes"


@pytest.mark.usefixtures("ray_cluster")
def test_the_resources_of_a_killed_controller_return_to_the_lane(
    tmp_path_factory: pytest.TempPathFactory,
    in_background: Callable[[LaneTrial], list[TrialReport]],
) -> None:
    with opened(tmp_path_factory, "whole", cpus_per_worker=CLUSTER_CPUS / 2) as lanes:
        lanes.wait_warm()
        trial = lanes.begin(ToyScript(steps=40, evaluations=2, step_seconds=0.05))
        assert step(trial).fidelity == 0.5
        results = in_background(trial)
        time.sleep(0.5)
        os.kill(_controller_pid(), signal.SIGKILL)
        lanes.wait_until(lambda: bool(results))
        assert (results[0].status, results[0].attempts) == ("complete", 1)
        stop(trial)


@pytest.mark.usefixtures("ray_cluster")
def test_only_the_workers_of_a_lane_load_torch(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """It takes half of the memory of the processes that every lane has on the driver's side."""
    with opened(tmp_path_factory, "light") as lanes:
        lanes.wait_warm()
        loaded = {
            _title(pid).split("\0")[0].split(".")[0]: "libtorch" in _maps(pid)
            for pid in _descendants()
        }
    assert loaded["ray::RayTrainWorker"]
    assert not loaded["ray::LaneActor"]
    assert not loaded["ray::TrainController"]
    assert not loaded["ray::PoolActor"]
    assert not {"ray::DatasetManager", "ray::PlacementGroupCleaner"} & loaded.keys()


_DRIVER = """
import sys, time, ray
from mixfront.lanes import TrialConfig
from mixfront.lanes.toy_session import ToySession
from mixfront.pool.pool import LanePool
ray.init(address=sys.argv[1], log_to_driver=False)
pool = LanePool.start("orphan", 1, TrialConfig(workers=1), sys.argv[2], ToySession)
while not pool.status()[0].warm:
    time.sleep(0.1)
print("warm", flush=True)
time.sleep(600)
"""


def test_lanes_die_with_their_driver(ray_cluster: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _DRIVER, ray_cluster, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "warm\n"
        assert _reserved_groups() == 1
        driver.kill()
    deadline = time.monotonic() + PATIENCE_S
    while _reserved_groups() > 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _controller_pid() -> int:
    """Process id of the only Train controller among the descendants of this process."""
    (own,) = [pid for pid in _descendants() if _title(pid).startswith("ray::TrainController")]
    return own


def _descendants() -> list[int]:
    """Ray's processes among the descendants of this process."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    ray_pids = [pid for pid in pids if _title(pid).startswith("ray::")]
    return [pid for pid in ray_pids if _is_descendant(pid)]


def _maps(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # the process has ended
        return ""


def _is_descendant(pid: int) -> bool:
    while pid > 1 and pid != os.getpid():
        pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return pid == os.getpid()


class TestProcessIsolation:
    """The same interface with a new worker group for every trial."""

    isolation = "process"

    def test_every_trial_has_its_own_processes(self, lanes: Lanes) -> None:
        assert _reserved_groups() == 0
        first = lanes.run(steps=2)
        assert [r.status for r in first] == ["running", "complete"]
        second = lanes.run(fault="error", before_step=0)
        assert (second[-1].status, second[-1].attempts) == ("failed", 0)
        assert lanes.pool.status()[0].generation == 2
        lanes.wait_until(lambda: _reserved_groups() == 0)

    def test_an_aborted_trial_stops_at_a_checkpoint(
        self, lanes: Lanes, in_background: Callable[[LaneTrial], list[TrialReport]]
    ) -> None:
        trial = lanes.begin(ToyScript(steps=400, evaluations=1, step_seconds=0.05))
        results = in_background(trial)
        lanes.wait_until(lambda: lanes.pool.status()[0].generation == 3)
        time.sleep(1.0)
        lanes.pool.abort(trial.config["request"]["trial_id"], "enough")
        lanes.wait_until(lambda: bool(results))
        stop(trial)
        assert results[0].status == "interrupted"
        assert results[0].checkpoint is not None
