"""Stopping at rungs, with several objectives, over several drivers."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.records.store import TrialState

RUNGS = {"kind": "fixed_rungs", "rungs": [0.25, 0.5], "keep": 0.5, "min_trials": 3}


def lane_with(auc: Callable[[Mapping[str, Any]], float]) -> Any:
    def lane(request: Mapping[str, Any]) -> Iterator[TrialReport]:
        for fidelity in (0.25, 0.5, 1.0):
            yield TrialReport(
                trial_id="",
                status=TrialStatus.COMPLETE if fidelity == 1 else TrialStatus.RUNNING,
                fidelity=fidelity,
                metrics={"auc": auc(request)},
            )

    return lane


def by_number(request: Mapping[str, Any]) -> float:
    return 0.5 + int(request["trial_id"]) % 5 / 100


def test_the_worse_half_is_stopped_at_a_rung(make_driver: Any) -> None:
    driver = make_driver(stopping=RUNGS, search={"trials": 14, "seed": 3}, objectives=["auc"])
    driver.run(lane_with(by_number))
    ran = [r for r in driver.store.trials() if r.started is not None]
    pruned = [r for r in ran if r.state is TrialState.PRUNED]
    complete = [r for r in ran if r.state is TrialState.COMPLETE]
    assert len(pruned) + len(complete) == 14
    assert pruned
    assert all(r.fidelity in (0.25, 0.5) for r in pruned)
    assert max(r.values["auc"] for r in ran) == max(r.values["auc"] for r in complete)


def test_without_stopping_no_trial_is_pruned(make_driver: Any) -> None:
    driver = make_driver().run(lane_with(by_number))
    assert {r.state for r in driver.store.trials()} <= {"complete", "infeasible"}


def decide(driver: Any, trial_id: str, fidelity: float, auc: float, **fields: Any) -> str:
    values = {"trial_id": trial_id, "status": "running", "fidelity": fidelity} | fields
    report = TrialReport.model_validate(values | {"metrics": {"auc": auc}})
    decision: str = driver.scheduler.on_trial_result(None, None, report.to_tune())
    return decision


@pytest.fixture
def started(make_driver: Any) -> tuple[Any, list[str]]:
    driver = make_driver(num_lanes=8, stopping=RUNGS, search={"trials": 8}, objectives=["auc"])
    configs = [driver.searcher.suggest(f"tune-{i}") for i in range(5)]
    return driver, [config["request"]["trial_id"] for config in configs]


def test_no_trial_is_stopped_before_min_trials_reached_the_rung(
    started: tuple[Any, list[str]],
) -> None:
    driver, ids = started
    assert decide(driver, ids[0], 0.25, 0.70) == TrialScheduler.CONTINUE
    assert decide(driver, ids[1], 0.25, 0.50) == TrialScheduler.CONTINUE
    assert decide(driver, ids[2], 0.25, 0.51) == TrialScheduler.CONTINUE  # 2 of 3, rounded up
    assert decide(driver, ids[3], 0.25, 0.50) == TrialScheduler.STOP


def test_a_trial_is_compared_once_per_rung(started: tuple[Any, list[str]]) -> None:
    driver, ids = started
    for trial_id in ids[:3]:
        decide(driver, trial_id, 0.6, 0.7)  # past both rungs at once
    assert set(driver.proposals.rung_values(0.25)) == set(driver.proposals.rung_values(0.5))
    assert decide(driver, ids[0], 0.75, 0.1) == TrialScheduler.CONTINUE


def test_a_trial_without_its_objective_is_not_compared(started: tuple[Any, list[str]]) -> None:
    driver, ids = started
    assert decide(driver, ids[0], 0.25, float("nan")) == TrialScheduler.CONTINUE
    assert driver.proposals.rung_values(0.25) == {}


def test_a_resumed_search_compares_with_earlier_trials(
    started: tuple[Any, list[str]], make_driver: Any
) -> None:
    driver, ids = started
    for trial_id in ids[:3]:
        decide(driver, trial_id, 0.25, 0.7)
    driver.searcher.interrupt("SIGINT")
    resumed = make_driver(num_lanes=8, stopping=RUNGS, search={"trials": 8}, objectives=["auc"])
    resumed.searcher.suggest("x")
    assert decide(resumed, ids[4], 0.25, 0.6) == TrialScheduler.STOP


@pytest.mark.parametrize("status", ["failed", "interrupted", "complete"])
def test_a_trial_that_has_ended_is_stopped(started: tuple[Any, list[str]], status: str) -> None:
    driver, ids = started
    assert decide(driver, ids[0], 0.1, 0.7, status=status) == TrialScheduler.STOP
    assert driver.scheduler.debug_string() == "stopping: fixed_rungs"
