"""A small search without Ray: a space, made-up costs, and a fake of Tune's loop."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from ray._private.dict import flatten_dict
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from mixfront.exceptions import SpecError
from mixfront.pool.leases import LaneUse
from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.pool.status import LaneStatus
from mixfront.records.retries import StorageRetries
from mixfront.records.store import RecordStore, SearchRecord, TrialRecord
from mixfront.search.limits.budget import Budget
from mixfront.search.limits.lane_supply import LaneSupply
from mixfront.search.proposals import Proposals
from mixfront.search.reconcile import Reconciliation, reconcile
from mixfront.search.request import make_request
from mixfront.search.sampler.optuna_samplers import make_sampler
from mixfront.search.scheduler import SearchScheduler
from mixfront.search.searcher import LaneSearcher
from mixfront.search.study import elapsed_seconds
from mixfront.spaces import Space
from mixfront.spaces.parameters import Choice, Float, Int
from mixfront.spec.search_spec import SearchSpec

Lane = Callable[[Mapping[str, Any]], Iterator[TrialReport]]

SPACE = Space(
    name="fake",
    families={
        "unimixer": {"num_blocks": Int(low=1, high=8)},
        "rankmixer": {"num_tokens": Choice(values=(2, 4, 8))},
    },
    shared={"optimizer.lr": Float(low=1e-3, high=1e-1, log=True)},
)


def fake_costs(flat: Mapping[str, Any]) -> dict[str, float]:
    """Costs proportional to a family's only size; a model of eight tokens cannot be built."""
    if flat.get("num_tokens") == 8:
        raise SpecError("eight tokens do not fit")
    size = flat.get("num_blocks", flat.get("num_tokens"))
    return {"params": 1e6 * size, "flops": 1e9 * size, "params_total": 2e6 * size}


def report(fidelity: float, status: str | None = None, **fields: Any) -> TrialReport:
    """A lane's report; FakeTune adds the trial id and the report number."""
    values = {
        "trial_id": "",
        "fidelity": fidelity,
        "status": TrialStatus(status or ("complete" if fidelity >= 1 else "running")),
        "metrics": {"auc": 0.6 + 0.1 * fidelity, "logloss": 0.6},
        "checkpoint": f"memory://step-{fidelity:g}",
        "model_url": "memory://final" if fidelity >= 1 else None,
        "accelerator_seconds": 10.0 * fidelity,
        "seconds": {"train": 1.0},
    }
    return TrialReport.model_validate(values | fields)


def good_lane(_request: Mapping[str, Any]) -> Iterator[TrialReport]:
    """Trains without errors."""
    yield report(0.25)
    yield report(0.5)
    yield report(1.0)


class RecordingCallbacks:
    """TrialCallbacks that record their calls."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.results: list[tuple[str, float]] = []
        self.ended: list[tuple[str, str]] = []

    def on_start(self, record: TrialRecord) -> None:
        record.run_id = record.run_id or f"run-{record.trial_id}"
        self.started.append(record.trial_id)

    def on_result(self, record: TrialRecord, report: TrialReport) -> None:
        self.results.append((record.trial_id, report.fidelity))

    def on_end(self, record: TrialRecord) -> None:
        self.ended.append((record.trial_id, str(record.state)))


class FakePool:
    """Lanes whose state the test sets; `during_wait` runs whenever the search waits for one."""

    def __init__(self, num_lanes: int) -> None:
        self.usable = num_lanes
        self.broken = 0
        self.during_wait: Callable[[], None] = lambda: pytest.fail("the search waits for a lane")

    def status(self) -> list[LaneStatus]:
        uses = [LaneUse.FREE] * max(1, self.usable) + [LaneUse.BROKEN] * self.broken
        if self.broken and not self.usable:
            uses = uses[1:]
        return [
            LaneStatus(
                lane=number,
                use=use,
                warm=number < self.usable,
                trial_id=None,
                generation=1,
                deaths=0,
                last_error="no space left" if use is LaneUse.BROKEN else None,
                usable=number < self.usable,
            )
            for number, use in enumerate(uses)
        ]


@dataclass
class Driver:
    """One driver of the fake search; a second one on the same study and store is a resume."""

    spec: SearchSpec
    study: optuna.Study
    store: RecordStore
    num_lanes: int = 2
    clock: Callable[[], float] = lambda: 0.0
    callbacks: RecordingCallbacks = field(default_factory=RecordingCallbacks)
    data_change: str | None = None

    def __post_init__(self) -> None:
        self.pool = FakePool(self.num_lanes)
        waits = [0.0]  # a clock that advances only during waits
        self.storage = StorageRetries("s", sleep=waits.append, clock=lambda: sum(waits))
        self.study.sampler = make_sampler(self.spec, len(self.study.trials))
        self.proposals = Proposals.of_spec(self.spec, self.study, SPACE, fake_costs)
        self.reconciled: Reconciliation = reconcile(self.store, self.proposals)
        self.budget = Budget(self.spec.search, clock=self.clock).resume(
            self.store.trials(), elapsed_seconds(self.study)
        )
        self.lanes = LaneSupply(
            self.pool.status,
            self.budget,
            "s",
            sleep=lambda _seconds: self.pool.during_wait(),
            clock=itertools.count().__next__,  # every look is a fresh one
        )
        search = SearchRecord(
            search_id="s-1",
            name="s",
            spec=self.spec.dump(),
            objectives=list(self.spec.objectives),
            reference_point=[],
            optuna_storage="",
            tracking_uri="",
            experiment="",
            encoder=f"{self.store.url}/encoder",
        )
        self.searcher = LaneSearcher(
            self.proposals,
            self.store.with_retries(self.storage),
            self.budget,
            make_request=lambda r: make_request(self.spec, search, self.store, r),
            pool="pool",
            lanes=self.lanes,
            callbacks=self.callbacks,
            retry=self.storage,
            data_change=lambda: self.data_change,
            unfinished=self.reconciled.unfinished,
            max_infeasible_in_a_row=self.spec.search.max_infeasible_in_a_row,
        )
        self.scheduler = SearchScheduler(
            self.spec.stopping, self.proposals, self.budget, self.searcher.costs_of, self.storage
        )

    def run(self, lane: Lane = good_lane, max_results: int = 10_000) -> "Driver":
        """Run Tune's loop until the searcher has finished, or the driver is killed."""
        FakeTune(self.searcher, self.scheduler, lane).run(max_results)
        return self


class FakeTune:
    """Calls searcher and scheduler in the same order as Ray Tune 2.60."""

    def __init__(self, searcher: LaneSearcher, scheduler: SearchScheduler, lane: Lane) -> None:
        self._searcher, self._scheduler, self._lane = searcher, scheduler, lane
        self._running: dict[str, tuple[dict[str, Any], Iterator[TrialReport]]] = {}
        self._numbers: dict[str, int] = {}
        self._names = (f"tune_{i}" for i in itertools.count())

    def run(self, max_results: int) -> None:
        finished = False
        while not finished or self._running:
            if not finished:
                finished = self._ask()
            for tune_id in list(self._running)[:1]:
                if max_results == 0:
                    return  # killed: no callback is called
                max_results -= 1
                self._running[tune_id] = (config := self._running.pop(tune_id))  # round robin
                self._one_result(tune_id, *config)

    def _ask(self) -> bool:
        while True:
            tune_id = next(self._names)
            config = self._searcher.suggest(tune_id)
            if config == Searcher.FINISHED:
                return True
            if config is None:
                assert self._running, "None while nothing runs: Tune would block"
                return False
            self._running[tune_id] = (config, self._lane(config["request"]))

    def _one_result(
        self, tune_id: str, config: dict[str, Any], lane: Iterator[TrialReport]
    ) -> None:
        try:
            reported = next(lane)
        except Exception:  # as if the trial's actor had died
            del self._running[tune_id]
            self._searcher.on_trial_complete(tune_id, error=True)
            return
        self._numbers[tune_id] = self._numbers.get(tune_id, 0) + 1
        own = {"trial_id": config["request"]["trial_id"], "number": self._numbers[tune_id]}
        result = reported.model_copy(update=own).to_tune() | {"trial_id": tune_id}
        flat = flatten_dict(result)
        stop = bool(result["done"])
        if not stop:
            trial = SimpleNamespace(config=config)
            decision = self._scheduler.on_trial_result(None, trial, flat)  # type: ignore[arg-type]
            stop = decision == TrialScheduler.STOP
        if stop:
            result["done"] = True
            del self._running[tune_id]
            self._searcher.on_trial_complete(tune_id, flatten_dict(result))
        else:
            self._searcher.on_trial_result(tune_id, flat)


MakeDriver = Callable[..., Driver]


@pytest.fixture
def fake_tune() -> type[FakeTune]:
    """The fake of Tune's loop."""
    return FakeTune


@pytest.fixture
def make_spec(tmp_path: Path) -> Callable[..., SearchSpec]:
    """A minimal spec, with some parts replaced."""

    def make(**parts: Any) -> SearchSpec:
        return SearchSpec.model_validate(
            {
                "name": "s",
                "data": {"path": "/data", "schema": "/schema.yaml", "validation": "day == 2"},
                "storage": str(tmp_path),
                "search": {"trials": 6, "startup_trials": 3},
            }
            | parts
        )

    return make


@pytest.fixture
def make_driver(tmp_path: Path, make_spec: Callable[..., SearchSpec]) -> MakeDriver:
    """Drivers of the same search."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    studies: list[optuna.Study] = []

    def make(
        *, num_lanes: int = 2, clock: Callable[[], float] = lambda: 0.0, **parts: Any
    ) -> Driver:
        spec = make_spec(**parts)
        if not studies:
            maximise = [o.direction == "max" for o in spec.objectives]
            studies.append(
                optuna.create_study(directions=["maximize" if m else "minimize" for m in maximise])
            )
        store = RecordStore(str(tmp_path), "s")
        return Driver(spec, studies[0], store, num_lanes=num_lanes, clock=clock)

    return make
