"""Whole searches without Ray: trials, states, budgets and interruptions."""

import itertools
import math
import pickle
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState as OptunaState
from ray.tune.search import Searcher

from mixfront.pool.report import TrialReport
from mixfront.records.store import TrialState
from mixfront.training.request import TrialRequest

STUDY_STATES = {
    "complete": OptunaState.COMPLETE,
    "pruned": OptunaState.PRUNED,
    "infeasible": OptunaState.PRUNED,
    "failed": OptunaState.FAIL,
    "running": OptunaState.RUNNING,
    "interrupted": OptunaState.RUNNING,
}


def assert_records_match_study(driver: Any) -> None:
    """Records and study agree on every trial."""
    records = driver.store.trials()
    assert [r.trial_id for r in records] == [str(t.number) for t in driver.study.trials]
    for record, frozen in zip(records, driver.study.trials, strict=True):
        assert STUDY_STATES[record.state] is frozen.state, record


def lane_of(report: Any, *outcomes: Any) -> Any:
    """A lane whose trials end with the given outcomes, in turn."""
    remaining = iter(outcomes)

    def lane(_request: Mapping[str, Any]) -> Iterator[TrialReport]:
        yield report(0.5)
        last: Any = next(remaining, {})
        if isinstance(last, Exception):
            raise last
        yield report(1.0, **last)

    return lane


@pytest.fixture
def report() -> Any:
    """Makes a lane's report."""

    def make(fidelity: float, status: str | None = None, **fields: Any) -> TrialReport:
        values = {
            "trial_id": "",
            "fidelity": fidelity,
            "status": status or ("complete" if fidelity >= 1 else "running"),
            "metrics": {"auc": 0.6 + 0.1 * fidelity},
            "checkpoint": f"memory://step-{fidelity:g}",
            "accelerator_seconds": 10.0 * fidelity,
        }
        return TrialReport.model_validate(values | fields)

    return make


def test_callbacks_get_an_evaluation_before_it_is_saved(
    make_driver: Any, report: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver killed in between must repeat it, or tracking would never get it."""
    driver = make_driver(num_lanes=1)
    unsaved: list[float] = []

    def on_result(record: Any, _report: Any) -> None:
        saved = {trial.trial_id: trial.fidelity for trial in driver.store.trials()}
        unsaved.append(record.fidelity - saved[record.trial_id])

    monkeypatch.setattr(driver.callbacks, "on_result", on_result)
    driver.run(lane_of(report))
    assert unsaved == [0.5] * 12


def test_a_latency_can_be_objective_and_constraint(make_driver: Any, report: Any) -> None:
    """Latency is only known after training, so a model that is too slow becomes infeasible."""
    metric = "latency_p99_ms_b1"
    spec = {"objectives": ["auc", metric], "constraints": {metric: "<= 2"}}
    measured = [1.0, 4.0, 1.5, 2.0, 3.0, 0.5]
    outcomes = [{"metrics": {"auc": 0.7, metric: ms}} for ms in measured]
    driver = make_driver(num_lanes=1, **spec).run(lane_of(report, *outcomes))
    ran = [r for r in driver.store.trials() if r.started is not None]
    states = ["complete", "infeasible", "complete", "complete", "infeasible", "complete"]
    assert [str(r.state) for r in ran] == states
    assert_records_match_study(driver)
    assert ran[1].error == "latency_p99_ms_b1 is 4, not <= 2"
    frozen = driver.study.trials[int(ran[1].trial_id)]
    assert frozen.constraints[metric] == pytest.approx(math.log10(2))
    assert ran[2].values == {"auc": 0.7, metric: 1.5}


def test_throughput_can_be_an_objective(make_driver: Any, report: Any) -> None:
    outcomes = [{"metrics": {"auc": 0.7, "samples_per_s": 1e4}}] * 6
    driver = make_driver(num_lanes=1, objectives=["auc", "samples_per_s"])
    records = driver.run(lane_of(report, *outcomes)).store.trials()
    values = [r.values for r in records if r.state is TrialState.COMPLETE]
    assert values == [{"auc": 0.7, "samples_per_s": 1e4}] * 6


def test_a_search_runs_until_its_trial_budget_is_spent(make_driver: Any) -> None:
    driver = make_driver().run()
    records = driver.store.trials()
    ran = [r for r in records if r.state is TrialState.COMPLETE]
    assert len(ran) == 6
    assert driver.searcher.ended_because == "the trial budget is spent: 6 of 6 trials"
    assert_records_match_study(driver)
    for record in ran:
        assert record.fidelity == 1
        assert record.values == {"auc": pytest.approx(0.7), "flops": record.costs["flops"]}
        assert record.model_url == "memory://final"
        assert record.run_id == f"run-{record.trial_id}"
        assert record.accelerator_seconds == 10
        assert [f for t, f in driver.callbacks.results if t == record.trial_id] == [0.25, 0.5, 1.0]
    assert sorted(driver.callbacks.started) == sorted(r.trial_id for r in ran)
    assert len(driver.callbacks.ended) == len(records)  # infeasible ones end without a start


def test_infeasible_configurations_cost_no_budget(make_driver: Any) -> None:
    driver = make_driver(constraints={"params": "<= 2e6"}).run()
    states = [record.state for record in driver.store.trials()]
    assert states.count(TrialState.COMPLETE) == 6
    assert states.count(TrialState.INFEASIBLE) >= 1
    assert all(r.started is None for r in driver.store.trials() if r.state == "infeasible")
    assert_records_match_study(driver)


def test_a_space_without_a_feasible_model_ends_the_search(make_driver: Any) -> None:
    search = {"trials": 6, "max_infeasible_in_a_row": 12}
    driver = make_driver(constraints={"params": "<= 1"}, search=search).run()
    assert len(driver.store.trials()) == 12
    assert driver.searcher.ended_because.startswith("12 configurations in a row were infeasible")
    assert driver.searcher.ended_because.endswith("loosen the constraints or narrow the space")
    assert_records_match_study(driver)


def test_trials_that_go_wrong_fail_with_a_reason(make_driver: Any, report: Any) -> None:
    lane = lane_of(
        report,
        {},
        {"metrics": {"auc": math.nan}},
        {"metrics": {}},
        {"status": "failed", "error": "out of memory", "metrics": {}},
        RuntimeError("the actor died"),
        {},
    )
    driver = make_driver().run(lane)
    ran = [r for r in driver.store.trials() if r.started is not None]
    assert [r.state for r in ran] == ["complete", *["failed"] * 4, "complete"]
    errors = {r.error for r in ran if r.state == "failed"}
    assert errors == {
        "the objective 'auc' is nan", "the objective 'auc' is missing", "out of memory",
        "the trial's Tune actor died",
    }  # fmt: skip
    assert_records_match_study(driver)


def test_no_more_trials_run_than_there_are_lanes(make_driver: Any, report: Any) -> None:
    running = most = 0

    def lane(_request: Mapping[str, Any]) -> Iterator[TrialReport]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        yield report(0.5)
        running -= 1
        yield report(1.0)

    make_driver(num_lanes=3).run(lane)
    assert most == 3


def test_the_number_of_lanes_may_change(make_driver: Any) -> None:
    driver = make_driver(num_lanes=1)
    assert isinstance(driver.searcher.suggest("a"), dict)
    assert driver.searcher.suggest("b") is None
    driver.pool.usable = 2
    assert isinstance(driver.searcher.suggest("b"), dict)
    driver.pool.usable = 0
    assert driver.searcher.suggest("c") is None  # two are still running
    driver.searcher.interrupt("the end")
    assert driver.searcher.suggest("c") == Searcher.FINISHED


def test_without_a_lane_the_searcher_waits_at_no_cost_until_one_returns(make_driver: Any) -> None:
    now = [0.0]
    driver = make_driver(num_lanes=0, clock=lambda: now[0], search={"time": "1h"})

    def wait() -> None:
        now[0] += 7200
        driver.pool.usable = 1

    driver.pool.during_wait = wait
    assert isinstance(driver.searcher.suggest("a"), dict)
    assert driver.budget.seconds() == 0
    driver.searcher.interrupt("the end")
    assert make_driver(clock=lambda: now[0]).budget.seconds() == 0  # nor is it saved as spent


@pytest.mark.parametrize("cause", ["stop", "lease"])
def test_a_wait_for_a_lane_can_be_ended(
    make_driver: Any, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    driver = make_driver(num_lanes=0)

    def end() -> None:
        if cause == "stop":
            driver.searcher.finish("stopped")
        else:
            lost = SimpleNamespace(fence=SimpleNamespace(closed_because=lambda: "stopped"))
            monkeypatch.setattr(driver.searcher, "_store", lost)

    driver.pool.during_wait = end
    assert driver.searcher.suggest("a") == Searcher.FINISHED
    assert driver.searcher.ended_because == "stopped"
    assert driver.store.trials() == []


def test_broken_lanes_end_the_search_before_anything_is_sampled(make_driver: Any) -> None:
    """They used to cost a trial per refusal: 60 of 60 trials, without a result."""
    driver = make_driver(num_lanes=0)
    driver.pool.broken = 2
    driver.run()
    assert driver.store.trials() == []
    assert driver.searcher.ended_because == (
        "no lane can be kept alive (last error: no space left); fix the cause, then run "
        "`mixfront search resume s`"
    )


def test_a_lane_that_refuses_a_trial_costs_nothing(make_driver: Any, report: Any) -> None:
    refused: list[str] = []

    def lane(request: Mapping[str, Any]) -> Iterator[TrialReport]:
        if not refused:
            refused.append(request["trial_id"])
            driver.pool.usable, driver.pool.broken = 0, 2
            yield report(0.0, "interrupted", checkpoint=None, metrics={}, error="no lane is ready")
        yield report(1.0)

    driver = make_driver(num_lanes=1)
    driver.run(lane)
    [record] = [r for r in driver.store.trials() if r.state != "infeasible"]
    assert (record.trial_id, record.state, record.started) == (refused[0], "interrupted", None)
    assert driver.searcher.ended_because.startswith("no lane can be kept alive")
    resumed = make_driver().run(lane)
    assert resumed.store.trial(refused[0]).state is TrialState.COMPLETE
    ran = [r for r in resumed.store.trials() if r.state is TrialState.COMPLETE]
    assert len(ran) == 6
    assert_records_match_study(resumed)


def test_a_trial_that_loses_its_lane_goes_on_as_the_same_trial(
    make_driver: Any, report: Any
) -> None:
    """Also the last of the budget: Tune never asks again after FINISHED."""
    resumed_from: dict[str, list[str | None]] = {}

    def lane(request: Mapping[str, Any]) -> Iterator[TrialReport]:
        starts = resumed_from.setdefault(request["trial_id"], [])
        starts.append(request["resume_from"])
        if len(starts) == 1:
            yield report(0.5)
            yield report(0.5, "interrupted", metrics={}, error="no lane is ready")
        yield report(1.0)

    driver = make_driver().run(lane)
    ran = [r for r in driver.store.trials() if r.started is not None]
    assert [r.state for r in ran] == [TrialState.COMPLETE] * 6
    assert list(resumed_from.values()) == [[None, "memory://step-0.5"]] * 6
    assert driver.searcher.ended_because == "the trial budget is spent: 6 of 6 trials"
    assert_records_match_study(driver)


def test_a_trial_that_loses_every_lane_without_progress_fails(
    make_driver: Any, report: Any
) -> None:
    def lane(_request: Mapping[str, Any]) -> Iterator[TrialReport]:
        yield report(0.0, "interrupted", checkpoint=None, metrics={}, error="it died")

    driver = make_driver(search={"trials": 2}).run(lane)
    ran = [r for r in driver.store.trials() if r.state != "infeasible"]
    assert [r.state for r in ran] == [TrialState.FAILED] * 2
    assert ran[0].error == "interrupted 6 times without progress: it died"
    assert_records_match_study(driver)


def test_a_suggestion_is_the_request_for_a_lane(make_driver: Any) -> None:
    driver = make_driver()
    config = driver.searcher.suggest("a")
    assert config["pool"] == "pool"
    request = TrialRequest.model_validate(config["request"])
    assert request.search_id == "s-1"
    assert request.data.path == "/data"
    assert request.folder == driver.store.trial_url(request.trial_id)
    assert request.resume_from is None
    record = driver.store.trial(request.trial_id)
    assert request.training.optimizer.lr == record.config["optimizer.lr"]
    assert driver.searcher.costs_of(request.trial_id) == record.costs
    assert driver.searcher.costs_of("99") == {}


def test_a_spent_time_budget_prunes_running_trials(make_driver: Any, report: Any) -> None:
    ticks = itertools.count()
    driver = make_driver(clock=lambda: next(ticks) * 1.0, search={"time": "90s"})

    def lane(_request: Mapping[str, Any]) -> Iterator[TrialReport]:
        yield from (report(f) for f in (0.1, 0.2, 0.3, 0.4, 1.0))

    driver.run(lane)
    states = [record.state for record in driver.store.trials()]
    assert TrialState.PRUNED in states
    assert TrialState.COMPLETE in states
    assert all(state.is_finished for state in states)
    assert "time budget is spent" in driver.searcher.ended_because
    assert_records_match_study(driver)


def test_a_spent_accelerator_budget_ends_the_search(make_driver: Any) -> None:
    driver = make_driver(search={"accelerator_hours": 35 / 3600}).run()
    seconds = sum(record.accelerator_seconds for record in driver.store.trials())
    assert 35 <= seconds < 35 + 2 * 10  # noticed at the next result of either lane
    assert "accelerator budget is spent" in driver.searcher.ended_because
    assert_records_match_study(driver)


def test_interrupted_trials_are_resumed_from_their_checkpoints(
    make_driver: Any, report: Any
) -> None:
    def lane(_request: Mapping[str, Any]) -> Iterator[TrialReport]:
        yield report(0.25)
        driver.searcher.finish("interrupted by SIGINT")
        yield report(0.4, "interrupted", metrics={}, error="SIGINT")

    driver = make_driver()
    driver.run(lane)
    records = [r for r in driver.store.trials() if r.started is not None]
    assert {r.state for r in records} == {TrialState.INTERRUPTED}
    assert all(r.checkpoint == "memory://step-0.4" for r in records)
    assert driver.searcher.ended_because == "interrupted by SIGINT"
    assert_records_match_study(driver)

    resumed = make_driver()
    assert [r.trial_id for r in resumed.reconciled.unfinished] == [r.trial_id for r in records]
    request = resumed.searcher.suggest("x")["request"]
    assert request["trial_id"] == records[0].trial_id
    assert request["resume_from"] == "memory://step-0.4"
    resumed.searcher.interrupt("again")
    assert resumed.store.trial(records[0].trial_id).state is TrialState.INTERRUPTED


def test_trials_to_resume_are_pruned_if_the_time_budget_is_spent(make_driver: Any) -> None:
    driver = make_driver(search={"trials": 3, "time": "50s"})
    driver.searcher.suggest("a")
    driver.searcher.interrupt("SIGTERM")
    late = make_driver(
        search={"trials": 3, "time": "50s"}, clock=iter([0.0, *[99.0] * 50]).__next__
    )
    assert late.searcher.suggest("b") == Searcher.FINISHED
    assert {r.state for r in late.store.trials()} <= {TrialState.PRUNED, TrialState.INFEASIBLE}
    assert_records_match_study(late)


def test_a_repeated_last_report_counts_once(make_driver: Any, report: Any) -> None:
    driver = make_driver()
    driver.searcher.suggest("a")
    first = report(0.5, number=1).to_tune()
    driver.searcher.on_trial_result("a", first)
    driver.searcher.on_trial_complete("a", first)  # stopped by the scheduler: repeated
    assert len(driver.callbacks.results) == 1
    assert driver.store.trials()[-1].state is TrialState.PRUNED
    driver.searcher.on_trial_complete("a", error=True)
    driver.searcher.on_trial_result("a", first)
    assert driver.store.trials()[-1].state is TrialState.PRUNED


def test_a_trial_end_that_raised_is_completed_by_the_second_call(
    make_driver: Any, report: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make_driver()
    request = driver.searcher.suggest("a")["request"]
    with monkeypatch.context() as patch:
        patch.setattr(driver.study, "tell", lambda *_a, **_k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            driver.searcher.on_trial_complete("a", report(1.0, number=1).to_tune())
    assert driver.store.trial(request["trial_id"]).state is TrialState.COMPLETE  # saved first
    driver.searcher.on_trial_complete("a", error=True)  # what Tune does then
    assert driver.store.trial(request["trial_id"]).state is TrialState.COMPLETE
    assert_records_match_study(driver)


def test_searcher_and_scheduler_pickle_as_empty_objects(make_driver: Any) -> None:
    driver = make_driver()
    for component in (driver.searcher, driver.scheduler):
        assert vars(pickle.loads(pickle.dumps(component))) == {}
    assert driver.searcher.metric is None
    driver.searcher.save_to_dir("/nowhere")


def fail_writes(driver: Any, monkeypatch: pytest.MonkeyPatch, first: int, count: int) -> None:
    """Make some of the driver's record writes fail, counted from 0."""
    fs, writes = driver.store._fs, itertools.count()
    write = fs.pipe_file

    def pipe_file(path: str, content: bytes) -> None:
        if first <= next(writes) < first + count:
            raise OSError("no space left on device")
        write(path, content)

    monkeypatch.setattr(fs, "pipe_file", pipe_file)


@pytest.mark.parametrize("first", range(12))
def test_a_write_that_fails_for_a_while_changes_nothing(
    make_driver: Any, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    driver = make_driver()
    fail_writes(driver, monkeypatch, first, 5)
    driver.run()
    assert driver.searcher.ended_because == "the trial budget is spent: 6 of 6 trials"
    assert_records_match_study(driver)


@pytest.mark.parametrize("first", range(12))
def test_storage_that_keeps_failing_ends_the_search_without_an_error(
    make_driver: Any, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    driver = make_driver()
    driver.storage._outage_s = 0
    with monkeypatch.context() as patch:
        fail_writes(driver, patch, first, 10**9)
        driver.run()
        driver.searcher.interrupt("the end")
    assert "OSError: no space left on device" in driver.searcher.ended_because
    assert "mixfront search resume s" in driver.searcher.ended_because
    assert make_driver().run().searcher.ended_because.startswith("the trial budget is spent")
    assert_records_match_study(driver)


def test_what_could_not_be_saved_is_saved_at_the_end_if_storage_works_again(
    make_driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make_driver(num_lanes=1)
    driver.storage._outage_s = 0
    with monkeypatch.context() as patch:
        fail_writes(driver, patch, 4, 10**9)  # the last write of the first trial, about
        driver.run()
    [before] = driver.store.trials()
    driver.searcher.interrupt("the end")
    [after] = driver.store.trials()
    assert (before.state, after.state) == (TrialState.RUNNING, TrialState.COMPLETE)
    assert_records_match_study(driver)


def test_a_study_that_fails_for_a_while_changes_nothing(
    make_driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make_driver()
    calls = itertools.count()
    for name in ("ask", "tell"):
        method = getattr(driver.proposals, name)

        def flaky(*arguments: Any, method: Any = method) -> Any:
            if next(calls) % 3 == 0:
                raise StorageInternalError("database is locked")
            return method(*arguments)

        monkeypatch.setattr(driver.proposals, name, flaky)
    driver.run()
    assert driver.searcher.ended_because == "the trial budget is spent: 6 of 6 trials"
    assert_records_match_study(driver)


def test_changed_data_interrupts_the_search_instead_of_failing_its_trials(
    make_driver: Any, report: Any
) -> None:
    driver = make_driver(num_lanes=1)

    def lane(_request: Mapping[str, Any]) -> Iterator[TrialReport]:
        if len(driver.callbacks.ended) >= 2:
            driver.data_change = "the data set has changed"
            yield report(0.0, "failed", error="the data set is not the one", metrics={})
        else:
            yield report(1.0)

    driver.run(lane)
    assert driver.searcher.ended_because == "the data set has changed"
    [last] = [r for r in driver.store.trials() if not r.state.is_finished]
    assert (last.state, last.error) == (TrialState.INTERRUPTED, "the data set has changed")
    resumed = make_driver().run()
    assert all(record.state.is_finished for record in resumed.store.trials())
    assert_records_match_study(resumed)
