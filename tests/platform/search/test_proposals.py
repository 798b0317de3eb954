"""Configurations from the study, and results back to it."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState as OptunaState

from mixfront.exceptions import SpecError
from mixfront.records.store import TrialRecord, TrialState
from mixfront.search.proposals import ELAPSED_EVERY_S, Proposals
from mixfront.search.study import elapsed_seconds


@pytest.fixture
def proposals(make_driver: Any) -> Proposals:
    driver = make_driver(constraints={"params": "<= 4e6", "auc": ">= 0.6"})
    assert isinstance(driver.proposals, Proposals)
    return driver.proposals


def test_every_proposal_is_checked_before_training(proposals: Proposals) -> None:
    records = [proposals.ask() for _ in range(60)]
    feasible = [r for r in records if r.state is TrialState.RUNNING]
    large = [r for r in records if r.costs.get("params", 0) > 4e6]
    unbuildable = [r for r in records if r.config.get("num_tokens") == 8]
    assert feasible
    assert large
    assert unbuildable
    assert len(feasible) + len(large) + len(unbuildable) == 60
    for record in feasible:
        assert record.violations["params"] <= 0
        assert record.values == {"flops": record.costs["flops"]}
        assert record.family in ("unimixer", "rankmixer")
    assert {r.state for r in large + unbuildable} == {TrialState.INFEASIBLE}
    assert large[0].violations["params"] > 0
    assert large[0].error is not None
    assert large[0].error.endswith("not <= 4e+06")
    assert unbuildable[0].error == "eight tokens do not fit"


@pytest.mark.parametrize("method", ["create_new_trial", "set_trial_param"])
def test_a_failed_ask_leaves_no_trial_running(
    proposals: Proposals, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The answer of the database is lost, but it has stored the trial."""
    storage = proposals.study._storage
    real = getattr(storage, method)

    def fail(*arguments: Any, **options: Any) -> None:
        real(*arguments, **options)
        raise OSError("connection lost")

    first = proposals.ask()
    with monkeypatch.context() as patch:
        patch.setattr(storage, method, fail)
        with pytest.raises(OSError, match="connection lost"):
            proposals.ask()
    second, third = proposals.ask(), proposals.ask()
    assert [r.trial_id for r in (first, second, third)] == ["0", "1", "2"]
    assert len(proposals.study.trials) == 3


def test_an_infeasible_proposal_is_pruned_with_its_constraint(proposals: Proposals) -> None:
    record = next(r for r in proposed(proposals) if r.state is TrialState.INFEASIBLE)
    proposals.tell(record)
    frozen = proposals.study.trials[int(record.trial_id)]
    assert frozen.state is OptunaState.PRUNED
    assert max(frozen.constraints.values()) > 0


def ask_feasible(proposals: Proposals) -> TrialRecord:
    return next(record for record in proposed(proposals) if record.state is TrialState.RUNNING)


def proposed(proposals: Proposals) -> Iterator[TrialRecord]:
    while True:
        yield proposals.ask()


@pytest.mark.parametrize(
    ("state", "study_state"),
    [
        (TrialState.COMPLETE, OptunaState.COMPLETE),
        (TrialState.PRUNED, OptunaState.PRUNED),
        (TrialState.INFEASIBLE, OptunaState.PRUNED),
        (TrialState.FAILED, OptunaState.FAIL),
    ],
)
def test_a_second_tell_changes_nothing(
    proposals: Proposals, state: TrialState, study_state: OptunaState
) -> None:
    record = ask_feasible(proposals)
    record.state, record.values = state, {"auc": 0.7, "flops": 1e9}
    proposals.tell(record)
    proposals.tell(record)
    frozen = proposals.study.trials[int(record.trial_id)]
    assert frozen.state is study_state
    assert frozen.values == ([0.7, 1e9] if study_state is OptunaState.COMPLETE else None)


def test_measured_constraints_are_checked_at_the_end(proposals: Proposals) -> None:
    good, bad, missing = (ask_feasible(proposals) for _ in range(3))
    for record, metrics in ((good, {"auc": 0.7}), (bad, {"auc": 0.5}), (missing, {"uauc": 0.5})):
        record.state, record.metrics = TrialState.COMPLETE, metrics
        record.values = {"auc": 0.5, "flops": 1e9}
        proposals.check_measured(record)
        proposals.tell(record)
    assert good.state is TrialState.COMPLETE
    assert bad.state is TrialState.INFEASIBLE
    assert bad.error == "auc is 0.5, not >= 0.6"
    assert missing.state is TrialState.FAILED
    assert missing.error == "the constrained metric 'auc' was not reported"
    study = proposals.study
    assert [t.number for t in study.best_trials] == [int(good.trial_id)]
    assert study.trials[int(bad.trial_id)].constraints["auc"] == pytest.approx(0.1)


def test_enqueued_configurations_come_first_and_once(make_driver: Any) -> None:
    configs = [
        {"family": "unimixer", "num_blocks": 2, "optimizer.lr": 0.01, "seed": seed}
        for seed in (1, 2)
    ]
    search = {"trials": 6, "enqueue": configs}
    first = make_driver(search=search).proposals
    assert first.ask().config == configs[0]
    resumed = make_driver(search=search)  # enqueues nothing a second time
    assert len(resumed.study.trials) == 2
    assert len(resumed.reconciled.orphans) == 1
    assert resumed.proposals.ask().config == configs[1]
    extended = make_driver(search={"trials": 6, "enqueue": [*configs, {"family": "rankmixer"}]})
    assert extended.proposals.ask().family == "rankmixer"


def test_a_driver_killed_while_it_enqueues_enqueues_the_rest_on_resume(
    make_driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = [{"family": "rankmixer"}, {"family": "unimixer"}]
    search = {"trials": 6, "enqueue": configs}
    real = InMemoryStorage.create_new_trial

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    def last(*arguments: Any, **options: Any) -> int:
        for write in ("create_new_trial", "set_study_user_attr"):
            monkeypatch.setattr(InMemoryStorage, write, killed)
        return real(*arguments, **options)

    monkeypatch.setattr(InMemoryStorage, "create_new_trial", last)
    with pytest.raises(KeyboardInterrupt):
        make_driver(search=search)
    monkeypatch.undo()
    resumed = make_driver(search=search)
    assert len(resumed.study.trials) == 2
    asked = [resumed.proposals.ask().family for _ in configs]
    assert asked == ["rankmixer", "unimixer"]


def test_an_enqueued_value_outside_the_space_is_refused(make_driver: Any) -> None:
    search = {"enqueue": [{"family": "unimixer", "num_blocks": 99}]}
    with pytest.raises(SpecError, match=r"search.enqueue\[0\]: 'num_blocks' is 99"):
        make_driver(search=search)


def test_rungs_are_read_from_the_study_once(
    proposals: Proposals, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [proposals.ask() for _ in range(3)]
    read = Mock(wraps=proposals.study.get_trials)
    monkeypatch.setattr(proposals.study, "get_trials", read)
    for record in records:
        proposals.record_rung(record.trial_id, 0.25, {"auc": 0.6, "flops": 1e9})
    assert len(proposals.rung_values(0.25)) == len(records)
    assert read.call_count == 1


def test_the_elapsed_time_is_stored_every_few_seconds(proposals: Proposals) -> None:
    for seconds in (1.0, 2.0, 1.0 + ELAPSED_EVERY_S, 2.0 + ELAPSED_EVERY_S):
        proposals.save_elapsed(seconds)
    assert elapsed_seconds(proposals.study) == 1.0 + ELAPSED_EVERY_S


def test_rungs_are_stored_in_the_study(proposals: Proposals) -> None:
    record = ask_feasible(proposals)
    proposals.record_rung(record.trial_id, 0.25, {"auc": 0.6, "flops": 1e9})
    assert proposals.rung_values(0.25) == {record.trial_id: {"auc": 0.6, "flops": 1e9}}
    assert proposals.rung_values(0.5) == {}
