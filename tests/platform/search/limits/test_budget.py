"""Budgets of a search, over all its drivers."""

from mixfront.records.store import TrialRecord, TrialState
from mixfront.search.limits.budget import Budget
from mixfront.spec.search_config import SearchConfig


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def budget(clock: Clock | None = None, **limits: object) -> Budget:
    return Budget(SearchConfig.model_validate(limits), clock=clock or Clock())


def test_a_spent_trial_budget_stops_new_trials_only() -> None:
    two = budget(trials=2)
    two.charge("0", 5)
    two.charge("0", 9)
    assert two.stops_new_trials() is None
    two.charge("1", 0)
    assert two.stops_new_trials() == "the trial budget is spent: 2 of 2 trials"
    assert two.stops_running_trials() is None


def test_a_spent_time_budget_stops_running_trials_too() -> None:
    clock = Clock()
    hour = budget(clock, time="1h")
    clock.now += 3599
    assert hour.stops_new_trials() is None
    assert hour.seconds_left() == 1
    clock.now += 1
    assert (
        hour.stops_running_trials()
        == hour.stops_new_trials()
        == "the time budget is spent: 3600 of 3600 s"
    )
    assert hour.seconds_left() == 0


def test_accelerator_hours_are_workers_times_wall_time() -> None:
    two = budget(accelerator_hours=2)
    two.charge("0", 3600)
    two.charge("1", 1800)
    assert two.accelerator_hours() == 1.5
    assert two.stops_running_trials() is None
    two.charge("1", 3600)
    assert two.stops_running_trials() == "the accelerator budget is spent: 2 of 2 hours"


def test_a_resumed_search_only_has_the_rest_of_its_budget() -> None:
    def record(number: int, started: float | None) -> TrialRecord:
        return TrialRecord(
            trial_id=str(number), family="f", config={}, started=started,
            state=TrialState.INTERRUPTED, accelerator_seconds=1800,
        )  # fmt: skip

    clock = Clock()
    resumed = budget(clock, trials=3, time=100, accelerator_hours=1.5).resume(
        [record(0, 1.0), record(1, 2.0), record(2, None)], 60
    )
    assert resumed.accelerator_hours() == 1  # the infeasible trial, never started, is free
    assert resumed.stops_new_trials() is None
    assert resumed.seconds_left() == 40
    clock.now += 41
    assert resumed.stops_running_trials() is not None


def test_waiting_for_a_lane_costs_no_time() -> None:
    clock = Clock()
    hour = budget(clock, time="1h")
    clock.now += 600
    with hour.paused():
        clock.now += 7200
        assert hour.seconds() == 600
        assert hour.stops_running_trials() is None
    assert hour.seconds() == 600
    clock.now += 3000
    assert hour.stops_running_trials() == "the time budget is spent: 3600 of 3600 s"


def test_a_refunded_trial_may_start_again() -> None:
    two = budget(trials=2)
    two.charge("0", 0)
    two.charge("1", 0)
    two.refund("1")
    assert two.stops_new_trials() is None
    two.charge("1", 0)
    assert two.stops_new_trials() == "the trial budget is spent: 2 of 2 trials"


def test_excluded_time_is_not_spent_and_not_twice_excluded_during_a_pause() -> None:
    clock = Clock()
    hour = budget(clock, time="1h")
    clock.now += 100
    hour.exclude(60)
    assert hour.seconds() == 40
    with hour.paused():
        clock.now += 10
        hour.exclude(10)
    assert hour.seconds() == 40
