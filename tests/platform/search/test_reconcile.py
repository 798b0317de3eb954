"""Whenever the driver dies, the resumed search loses no trial and runs none twice."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import copy
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState as OptunaState

from mixfront.exceptions import SpecError
from mixfront.pool.report import TrialReport, TrialStatus
from mixfront.records.store import RecordStore, TrialState
from mixfront.search.proposals import Proposals
from mixfront.search.reconcile import reconcile
from mixfront.search.study import open_study


@pytest.mark.parametrize("killed_after", range(12))
def test_resuming_after_a_kill_at_any_result(make_driver: Any, killed_after: int) -> None:
    finished: Counter[str] = Counter()

    def lane(request: Mapping[str, Any]) -> Iterator[TrialReport]:
        for fidelity in (0.5, 1.0):
            if request["resume_from"] == f"step-{fidelity}":
                continue
            finished[request["trial_id"]] += fidelity == 1
            yield TrialReport(
                trial_id="",
                status=TrialStatus.COMPLETE if fidelity == 1 else TrialStatus.RUNNING,
                fidelity=fidelity,
                metrics={"auc": 0.7},
                checkpoint=f"step-{fidelity}",
            )

    first = make_driver()
    first.run(lane, max_results=killed_after)
    complete = {r.trial_id for r in first.store.trials() if r.state is TrialState.COMPLETE}
    second = make_driver().run(lane)
    states = {r.trial_id: r.state for r in second.store.trials()}
    assert all(states[trial_id] is TrialState.COMPLETE for trial_id in complete)
    assert list(states.values()).count(TrialState.COMPLETE) == 6
    assert all(state.is_finished for state in states.values())
    assert max(finished.values()) == 1
    assert all(t.state.is_finished() for t in second.study.trials)


class Killed(BaseException):
    """Like SIGKILL: nothing catches it, nothing cleans up."""


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(killed_at=st.integers(0, 60))
def test_resuming_after_a_kill_at_any_write(
    make_spec: Any, make_driver: Any, tmp_path_factory: pytest.TempPathFactory, killed_at: int
) -> None:
    """A driver is killed before the n-th write to records or study, then the search resumes."""
    make = type(make_driver())
    folder = tmp_path_factory.mktemp("search")
    study = optuna.create_study(directions=["maximize", "minimize"])
    spec = make_spec(search={"trials": 4}, constraints={"params": "<= 6e6"})
    writes = 0

    def counted(function: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal writes
            writes += 1
            if writes > killed_at:
                raise Killed
            return function(*args, **options)

        return call

    store, fragile = RecordStore(str(folder), "s"), RecordStore(str(folder), "s")
    fragile.save_trial = counted(fragile.save_trial)  # type: ignore[method-assign]
    fragile_study = copy(study)
    fragile_study.tell = counted(study.tell)  # type: ignore[method-assign]
    fragile_study.ask = counted(study.ask)  # type: ignore[method-assign]
    with suppress(Killed):
        make(spec, fragile_study, fragile).run()
    complete = {r.trial_id for r in store.trials() if r.state is TrialState.COMPLETE}
    resumed = make(spec, study, store)
    unfinished = {r.trial_id for r in resumed.reconciled.unfinished}
    assert not unfinished & complete
    resumed.run()
    records = store.trials()
    assert [r.state for r in records].count(TrialState.COMPLETE) == 4
    assert all(r.state.is_finished for r in records)
    assert [r.trial_id for r in records] == [str(t.number) for t in study.trials]
    assert all(t.state.is_finished() for t in study.trials)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(killed_at=st.integers(0, 120))
def test_resuming_after_a_kill_at_any_statement(
    make_spec: Any, make_driver: Any, tmp_path_factory: pytest.TempPathFactory, killed_at: int
) -> None:
    """A driver is killed before its n-th statement to the study's database."""
    make = type(make_driver())
    folder = tmp_path_factory.mktemp("search")
    spec, url = make_spec(search={"trials": 4}), f"sqlite:///{folder}/study.db"
    store, study = RecordStore(str(folder), "s"), open_study(spec, url, "s-1")
    statements = itertools.count()

    def kill(*_: Any) -> None:
        if next(statements) >= killed_at:
            raise Killed

    engine = study._storage._database.engine  # type: ignore[attr-defined]
    sa.event.listen(engine, "before_cursor_execute", kill)
    with suppress(Killed):
        make(spec, study, store).run()
    engine.dispose()
    resumed = make(spec, open_study(spec, url, "s-1"), store).run()
    records, trials = store.trials(), resumed.study.trials
    assert [r.state for r in records].count(TrialState.COMPLETE) == 4
    assert [r.trial_id for r in records] == [str(t.number) for t in trials]
    assert all(t.state.is_finished() for t in trials)
    assert len(resumed.reconciled.orphans) <= 1
    in_database = optuna.load_study(study_name="s-1", storage=url).trials
    assert [t.values for t in in_database] == [t.values for t in trials]


def test_a_trial_finished_in_the_records_only_is_finished_in_the_study_too(
    make_driver: Any,
) -> None:
    driver = make_driver()
    driver.searcher.suggest("a")
    record = driver.store.trials()[-1]
    record.state, record.values = TrialState.COMPLETE, {"auc": 0.7, "flops": 1e9}
    driver.store.save_trial(record)
    result = reconcile(driver.store, driver.proposals)
    assert [r.trial_id for r in result.synced] == [record.trial_id]
    assert driver.study.trials[-1].values == [0.7, 1e9]


def test_a_trial_finished_in_the_study_only_is_not_run_again(make_driver: Any) -> None:
    driver = make_driver()
    driver.searcher.suggest("a")
    number = int(driver.store.trials()[-1].trial_id)
    driver.study.tell(number, [0.7, 1e9])
    assert reconcile(driver.store, driver.proposals).unfinished == ()
    record = driver.store.trials()[-1]
    assert record.state is TrialState.COMPLETE
    assert record.values == {"auc": 0.7, "flops": 1e9}


def test_orphans_fail_and_keep_the_sampled_part_of_their_configuration(make_driver: Any) -> None:
    driver = make_driver()
    driver.proposals.ask()  # sampled, but never saved
    driver.study.ask()  # not even sampled
    sampled, unsampled = reconcile(driver.store, driver.proposals).orphans
    assert sampled.state is unsampled.state is TrialState.FAILED
    assert sampled.config["family"] == sampled.family
    assert unsampled.config == {}
    assert [t.state for t in driver.study.trials] == [OptunaState.FAIL] * 2
    assert reconcile(driver.store, driver.proposals).orphans == ()


def test_the_study_of_another_search_is_refused(make_driver: Any) -> None:
    driver = make_driver().run()
    other = optuna.create_study(directions=["maximize", "minimize"])
    proposals = Proposals.of_spec(driver.spec, other, driver.proposals.space, lambda _f: {})
    with pytest.raises(SpecError, match=r"the study has no trial 0, but .* OPTUNA_STORAGE"):
        reconcile(driver.store, proposals)


def test_reconciling_reads_the_study_once_for_all_trials(
    make_driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make_driver(search={"trials": 20}).run()
    looks = 0
    read = driver.study.get_trials

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal looks
        looks += 1
        return read(*arguments, **options)

    monkeypatch.setattr(driver.study, "get_trials", counted)
    assert reconcile(driver.store, driver.proposals).synced == ()
    assert looks == 2  # and once for the orphans
