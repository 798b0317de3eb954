"""A search gets a larger budget after it has started, or even finished."""

from typing import Any

import pytest

from mixfront.exceptions import SpecError
from mixfront.records import SearchRecord, TrialState
from mixfront.search.extend import extended, is_extension


@pytest.fixture
def started(search: SearchRecord) -> SearchRecord:
    """A search with a budget of 60 trials and two hours."""
    search.spec["search"] = {"trials": 60, "time": 7200.0, "accelerator_hours": None, "seed": 7}
    return search


@pytest.mark.parametrize(
    ("override", "name", "value"),
    [
        ("search.trials=+20", "trials", 80),
        ("search.trials=70", "trials", 70),
        ("search.time=+1h30m", "time", 12600.0),
        ("search.time=+60", "time", 7260.0),
        (" search.time = 3h", "time", 10800.0),
        ("search.accelerator_hours=2.5", "accelerator_hours", 2.5),
        ("search.trials=null", "trials", None),
    ],
)
def test_a_budget_is_extended(
    started: SearchRecord, override: str, name: str, value: float | None
) -> None:
    record = extended(started, [override])
    assert record.spec["search"][name] == value
    assert record.spec["search"]["seed"] == 7
    [entry] = record.extensions
    assert entry.before == {f"search.{name}": started.spec["search"][name]}
    assert entry.after == {f"search.{name}": value}
    assert started.extensions == []
    assert (record.state, record.ended_because) == ("interrupted", "its budget was extended")


def test_every_extension_is_kept(started: SearchRecord) -> None:
    record = extended(extended(started, ["search.trials=+20"]), ["search.trials=+5"])
    assert [entry.after for entry in record.extensions] == [
        {"search.trials": 80},
        {"search.trials": 85},
    ]
    assert extended(record, []) is record


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("training.passes=2", "'training.passes=2' cannot be applied .* only its budget"),
        ("search.seed=8", "only its budget can change"),
        ("search.trials", "only its budget can change"),
        ("search.trials=+none", "does not add a positive amount to search.trials, which is 60"),
        ("search.trials=+-5", "does not add a positive amount"),
        ("search.time=+soon", "'soon' is not a valid duration"),
        ("search.trials=+2.5", "'trials' is 62.5"),
        ("search.trials=0", "'trials' is 0"),
        ("search.accelerator_hours=+2", "a limit that search 'demo' does not have"),
    ],
)
def test_anything_else_is_refused(started: SearchRecord, override: str, reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        extended(started, [override])


def test_only_budgets_are_extensions() -> None:
    assert is_extension("search.time=+1h")
    assert not is_extension("search.timeout=3")


def test_a_finished_search_continues_from_the_same_study(make_driver: Any) -> None:
    first = make_driver(search={"trials": 6}).run()
    before = first.store.trials()
    second = make_driver(search={"trials": 9}).run()
    after = second.store.trials()
    assert after[: len(before)] == before
    states = [record.state for record in after if record.state is not TrialState.INFEASIBLE]
    assert states == [TrialState.COMPLETE] * 9
    assert second.searcher.ended_because == "the trial budget is spent: 9 of 9 trials"
