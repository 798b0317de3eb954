"""A search of toy trials on a real cluster, whose faults come at random moments."""

import contextlib
import functools
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import optuna
import psutil
from tests.cluster.services.ray_cluster import RayCluster
from tests.faults.injections import Faults
from tests.faults.invariants import (
    Journal,
    Running,
    check_budget,
    check_journal,
    check_leftovers,
    check_states,
    check_study,
)
from tests.faults.on_ray.faulty_session import FAULTS, STARTS, FaultKind
from tests.faults.tracking_invariants import check_mlflow, check_spool
from tests.integration.running_search import NAME, RunningSearch

from mixfront.records import RecordStore, TrialRecord, TrialState
from mixfront.spec.search_spec import SearchSpec
from mixfront.tracking.client import connect

TRIALS = 8
EARLIEST, LATEST = 0.3, 0.6 * TRIALS  # faults come between these sums of all trials' fidelity
LIMIT_S = 300.0
LEFT_AFTER_S = 60.0  # a cluster needs some seconds to remove what a dead driver owned
_OF_RAY = frozenset({"_AutoscalingCoordinatorActor"})  # one per cluster, from the first Train run

Inject = Callable[["ToySearch"], None]


class ToySearch:
    """One search, and its drivers one after the other.

    Args:
        folder: An empty folder for the search.
        data: Folder of the data.
        tracking_uri: MLflow.
        cluster: Where it runs; several searches may use it one after the other.
        faults: The faults to inject.
        overrides: More of the spec.
    """

    def __init__(
        self,
        folder: Path,
        data: Path,
        tracking_uri: str,
        cluster: RayCluster,
        faults: Faults,
        overrides: tuple[str, ...] = (),
    ) -> None:
        self.cluster, self.faults = cluster, faults
        self._folder = folder
        self._tracking_uri = tracking_uri
        self._settings = (
            f"name={NAME}",
            *(f"data.path={data}", f"data.schema={data / 'schema.yaml'}"),
            *(f"search.trials={TRIALS}", "search.enqueue=[]", "search.sampler=random"),
            f"optuna_storage=sqlite:///{folder}/study.db",
            "trial={workers: 2, collective_timeout_s: 6, max_failures: 6, lanes: {max: 2}}",
            *overrides,
        )
        self._journal = Journal()
        self._before = self._running()
        self._started = time.monotonic()
        (folder / FAULTS).mkdir()
        words = (word for setting in self._settings for word in ("-o", setting))
        self.driver = self._start("run", "demo", *words)

    def run(self, inject: Inject, *, interrupt: bool = False) -> list[TrialRecord]:
        """Inject every fault at a random moment of training, and wait for the end.

        Args:
            inject: Injects one fault.
            interrupt: Interrupt the search after the last fault, instead of waiting until its
                budget is spent.

        Returns:
            The trials; the search has ended and everything holds.
        """
        moments = [self.faults.random.uniform(EARLIEST, LATEST) for _ in range(self.faults.count)]
        try:
            for moment in sorted(moments):
                self.wait_until(functools.partial(self._has_reached, moment))
                time.sleep(self.faults.random.random())
                inject(self)
                self.faults.injected += 1
            if interrupt:
                self.driver.process.send_signal(signal.SIGINT)
            self._finish()
        finally:
            self.driver.clean_up()
        self._seconds = time.monotonic() - self._started
        expected = "interrupted" if interrupt else "finished"
        assert self.driver.store.search().state == expected, self.driver.text()
        assert self._violations() == [], self.driver.text()
        return self.driver.trials()

    @property
    def seconds(self) -> float:
        """Wall time of the whole search, with all its drivers."""
        return self._seconds

    def nodes_used(self) -> set[str]:
        """The nodes on which first ranks trained."""
        return {node for _, _, node in self._starts()}

    def request(self, fault: FaultKind) -> None:
        """Have a rank carry out a fault at its next step, and wait until it has begun."""
        request = self._folder / FAULTS / fault
        request.touch()
        self.wait_until(lambda: not request.exists())

    def kill(self, title: str) -> None:
        """SIGKILL a random process of the cluster whose title contains `title`.

        Waits until there is one, as the last fault may have ended all of them.
        """
        found: list[psutil.Process] = []

        def is_found() -> bool:
            found[:] = [process for process in self._processes() if title in _title(process)]
            return bool(found)

        self.wait_until(is_found)
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by itself just now
            self.faults.random.choice(found).kill()

    def _processes(self) -> list[psutil.Process]:
        return [p for ip in self.cluster.nodes() for p in self.cluster.processes(ip)]

    def resume(self) -> None:
        """Start the next driver, after the last one has ended."""
        self.driver = self._start("resume", NAME)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition while the driver runs."""
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            self._journal.observe(self.driver.trials())
            assert self.driver.process.poll() is None, self.driver.text()
            assert time.monotonic() < deadline, self.driver.text()
            time.sleep(0.1)

    def _start(self, *words: str) -> RunningSearch:
        environment = self.cluster.environment | {
            "RAY_ADDRESS": self.cluster.gcs_address,
            "MLFLOW_TRACKING_URI": self._tracking_uri,
        }
        return RunningSearch(
            self._folder,
            *words,
            env=environment,
            program=("tests.faults.on_ray.toy_driver",),
        )

    def _has_reached(self, moment: float) -> bool:
        return sum(trial.fidelity for trial in self.driver.trials()) >= moment

    def _finish(self) -> None:
        deadline = time.monotonic() + LIMIT_S
        while self.driver.process.poll() is None:
            self._journal.observe(self.driver.trials())
            assert time.monotonic() < deadline, self.driver.text()
            time.sleep(0.1)
        assert self.driver.process.returncode == 0, self.driver.text()

    def _violations(self) -> list[str]:
        """Everything that does not hold."""
        store: RecordStore = self.driver.store
        search, records = store.search(), store.trials()
        study = optuna.load_study(study_name=search.search_id, storage=search.optuna_storage)
        self._note_restarts(records)
        return [
            *check_study(records, study),
            *check_states(search, records),
            *check_journal(records, self._journal),
            *check_spool(store),
            *check_mlflow(search, records, connect(self._tracking_uri)),
            *check_budget(SearchSpec.model_validate(search.spec).search, records),
            *check_leftovers(self._before, self._when_settled()),
        ]

    def _starts(self) -> list[tuple[str, str, str]]:
        """Trial, unix seconds and first rank's node of every start."""
        lines = (self._folder / STARTS).read_text().splitlines()
        return [(trial_id, moment, node) for trial_id, moment, node in map(str.split, lines)]

    def _note_restarts(self, records: list[TrialRecord]) -> None:
        ended = {t.trial_id: t.ended for t in records if t.state is TrialState.COMPLETE}
        for trial_id, moment, _ in self._starts():
            self._journal.starts.append(trial_id)
            if (ended.get(trial_id) or float("inf")) < float(moment):
                self._journal.restarted.append(trial_id)

    def _when_settled(self) -> Running:
        """What still runs once the cluster has removed what the drivers owned."""
        deadline = time.monotonic() + LEFT_AFTER_S
        while check_leftovers(self._before, after := self._running()):
            if time.monotonic() > deadline:
                break
            time.sleep(0.5)
        return after

    def _running(self) -> Running:
        actors = self.cluster.listing("actors?detail=true&limit=10000")
        groups = self.cluster.listing("placement_groups?limit=10000")
        return Running(
            processes=self._lane_processes(),
            actors=frozenset(
                f"{actor['class_name']} {actor['actor_id']}"
                for actor in actors
                if actor["state"] != "DEAD" and actor["class_name"] not in _OF_RAY
            ),
            placement_groups=frozenset(
                group["placement_group_id"] for group in groups if group["state"] != "REMOVED"
            ),
        )

    def _lane_processes(self) -> frozenset[str]:
        """Processes in which an actor runs; Ray keeps idle ones for later jobs."""
        titles = ((process.pid, _title(process)) for process in self._processes())
        own = ("ray::Lane", "ray::Pool", "ray::RayTrainWorker", "ray::TrainController")
        return frozenset(f"{title} {pid}" for pid, title in titles if title.startswith(own))


def states(trials: list[TrialRecord]) -> Counter[TrialState]:
    """How many trials are in each state."""
    return Counter(trial.state for trial in trials)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())  # Ray sets it, as in "ray::Lane"
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return ""
