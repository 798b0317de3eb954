"""The driver's storage holds the same study as Optuna's own, in fewer statements."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from mixfront.search.stored_study.storage import StudyStorage
from mixfront.search.stored_study.tables import StudyTables
from mixfront.search.study import one_transaction, running_trial

INFINITE = float("inf")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RDBStorage]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = RDBStorage(f"sqlite:///{tmp_path_factory.mktemp('study')}/study.db")
    yield storage
    storage.engine.dispose()


@pytest.fixture(scope="module")
def new_study(database: RDBStorage) -> Callable[[], optuna.Study]:
    """Makes studies with Optuna's own storage."""
    names = (f"s-{number}" for number in itertools.count())

    def make() -> optuna.Study:
        sampler = optuna.samplers.RandomSampler(seed=1)
        return optuna.create_study(
            study_name=next(names),
            storage=database,
            directions=["maximize", "minimize"],
            sampler=sampler,
        )

    return make


def ours(study: optuna.Study, database: RDBStorage) -> optuna.Study:
    """The same study with our storage, as a driver opens it."""
    return optuna.Study(
        study.study_name, StudyStorage(database, study.study_name), sampler=study.sampler
    )


@pytest.fixture
def study(new_study: Callable[[], optuna.Study], database: RDBStorage) -> optuna.Study:
    """A study with our storage."""
    return ours(new_study(), database)


def stored(study: optuna.Study, database: RDBStorage) -> list[FrozenTrial]:
    """What Optuna's own storage reads."""
    return optuna.load_study(study_name=study.study_name, storage=database).trials


def contents(study: optuna.Study, database: RDBStorage) -> list[dict[str, Any]]:
    """What Optuna's own storage reads, except ids and exact times."""
    return [content(trial) for trial in stored(study, database)]


def assert_agrees(study: optuna.Study, database: RDBStorage) -> None:
    """Our storage has in memory what is in the database."""
    assert [content(trial) for trial in study.trials] == contents(study, database)


def content(trial: FrozenTrial) -> dict[str, Any]:
    fields = {name.strip("_"): value for name, value in vars(trial).items() if name != "_trial_id"}
    times = {name: value is not None for name, value in fields.items() if "datetime" in name}
    return fields | times | {"params": list(trial.params.items())}


def ask(study: optuna.Study) -> int:
    trial = study.ask()
    if trial.suggest_categorical("family", ["unimixer", "dcn", None, 4]) == "dcn":
        trial.suggest_int("num_blocks", 1, 64, log=True)
    trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    trial.suggest_float("dropout", 0, 0.5, step=0.1)
    trial.set_constraint("params", -0.25)
    return trial.number


def ask_at_once(study: optuna.Study) -> None:
    with one_transaction(study):
        ask(study)


def set_rung(study: optuna.Study, number: int) -> None:
    if (trial := running_trial(study, number)) is not None:
        trial.set_user_attr("rung:0.25", {"auc": 0.6})
        trial.set_user_attr("rung:0.25", {"auc": 0.7})


def tell(study: optuna.Study, number: int, state: TrialState, values: list[float] | None) -> None:
    if running_trial(study, number) is not None:
        study.tell(number, values, state=state, skip_if_finished=True)


NUMBERS = st.integers(0, 5)
STEPS = st.one_of(
    st.just((ask,)),
    st.just((ask_at_once,)),
    st.builds(lambda n: (set_rung, n), NUMBERS),
    st.builds(lambda n: (tell, n, TrialState.COMPLETE, [0.7, INFINITE]), NUMBERS),
    st.builds(lambda n: (tell, n, TrialState.COMPLETE, [0.8, 1e9]), NUMBERS),
    st.builds(lambda n, s: (tell, n, s, None), NUMBERS, st.sampled_from(["PRUNED", "FAIL"])),
    st.just((lambda study: study.enqueue_trial({"lr": 0.01}, user_attrs={"extra": {"a": [1]}}),)),
    st.just((lambda study: study.set_user_attr("seconds", 12.5),)),
    st.just(("reopen",)),
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=3, max_size=15))
def test_a_study_is_the_same_as_through_optunas_own_storage(
    database: RDBStorage, new_study: Callable[[], optuna.Study], steps: list[Any]
) -> None:
    plain, base = new_study(), new_study()
    study = ours(base, database)
    for step, *arguments in steps:
        if step == "reopen":
            study = ours(study, database)
            continue
        arguments = [TrialState[a] if isinstance(a, str) else a for a in arguments]
        step(plain, *arguments)
        step(study, *arguments)
    assert contents(study, database) == contents(plain, database)
    assert_agrees(study, database)
    assert study.user_attrs == plain.user_attrs
    for state in TrialState:
        states = (state,)
        assert len(study.get_trials(states=states)) == len(plain.get_trials(states=states))


def test_times_are_those_that_optuna_reads(study: optuna.Study, database: RDBStorage) -> None:
    ask_at_once(study)
    study.tell(0, [0.7, 1e9])
    memory, [seen] = study.trials[0], stored(study, database)
    assert memory.datetime_start == seen.datetime_start
    assert seen.duration is not None
    assert memory.duration is not None
    assert abs(seen.duration - memory.duration).total_seconds() < 1
    [read] = ours(study, database).trials
    assert (read.datetime_start, read.duration) == (seen.datetime_start, seen.duration)


@contextmanager
def counted(database: RDBStorage) -> Iterator[list[str]]:
    """The statements that the database gets in the block."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("num_running", [0, 40])
def test_a_proposal_and_a_result_take_few_statements(
    study: optuna.Study, database: RDBStorage, num_running: int
) -> None:
    for _ in range(num_running):
        ask_at_once(study)
    with counted(database) as asked:
        ask_at_once(study)
    assert len(asked) <= 5  # lock, trial, its number, parameters, constraint
    with counted(database) as told:
        study.tell(num_running, [0.7, 1e9])
    assert len(told) <= 3
    with counted(database) as read:
        assert len(ours(study, database).trials) == num_running + 1
    assert len(read) <= 9  # for any number of trials


def test_a_block_that_fails_leaves_no_trial(study: optuna.Study, database: RDBStorage) -> None:
    def fail() -> None:
        with one_transaction(study):
            ask(study)
            raise OSError("the cost check failed")

    with pytest.raises(OSError, match="cost check"):
        fail()
    assert stored(study, database) == []
    ask_at_once(study)
    assert [trial.number for trial in stored(study, database)] == [0]
    assert_agrees(study, database)


@pytest.mark.parametrize("is_committed", [False, True])
def test_after_a_failed_write_the_study_is_read_again(
    study: optuna.Study,
    database: RDBStorage,
    monkeypatch: pytest.MonkeyPatch,
    is_committed: bool,
) -> None:
    insert = StudyTables.insert

    def fail(tables: StudyTables, trial: FrozenTrial) -> int:
        if is_committed:
            insert(tables, trial)
        raise StorageInternalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(StudyTables, "insert", fail)
        with pytest.raises(StorageInternalError, match="closed the connection"):
            ask_at_once(study)
    ask_at_once(study)
    assert len(stored(study, database)) == 1 + is_committed
    assert_agrees(study, database)


def test_a_trial_that_another_program_has_finished_stays_as_it_is(
    study: optuna.Study, database: RDBStorage
) -> None:
    ask_at_once(study)
    other = optuna.load_study(study_name=study.study_name, storage=database)
    other.tell(0, [0.9, 1e8])
    with pytest.raises(UpdateFinishedTrialError):  # repeated, as any failure of the storage
        study.tell(0, state=TrialState.FAIL, skip_if_finished=True)
    ask_at_once(study)
    study.tell(0, state=TrialState.FAIL, skip_if_finished=True)
    assert study.trials[0].values == stored(study, database)[0].values == [0.9, 1e8]


def test_trials_that_another_program_adds_are_taken_at_the_second_attempt(
    study: optuna.Study, database: RDBStorage
) -> None:
    other = optuna.load_study(study_name=study.study_name, storage=database)
    other.enqueue_trial({"lr": 0.05})
    with pytest.raises(StorageInternalError, match="another program has added trials"):
        ask_at_once(study)
    ask_at_once(study)
    [trial] = stored(study, database)
    assert (trial.state, trial.params["lr"]) == (TrialState.RUNNING, 0.05)
