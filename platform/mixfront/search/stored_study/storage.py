"""The study of a search as its driver sees it: read from memory, written to the database."""

import copy
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, final

from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState, create_trial

from mixfront.search.stored_study.tables import StudyTables


@final
class StudyStorage(BaseStorage):
    """Optuna's interface to one study that only this program writes, as its lease guarantees.

    Optuna's own storage reads every running trial again for each proposal: 0.1 s at 100 lanes,
    1 s at 1,000. Here every trial is read once. After a write that failed, which the database may
    have carried out nevertheless, everything is read again before the next write.

    Inside this program a trial's number is also its id.

    Args:
        database: Optuna's storage of the study.
        study_name: The study.
    """

    def __init__(self, database: RDBStorage, study_name: str) -> None:
        self._database = database
        self._study_id = database.get_study_id_from_name(study_name)
        self._directions = database.get_study_directions(self._study_id)
        self._tables = StudyTables(database, self._study_id)
        self._unwritten: int | None = None  # number of a trial that is only in memory so far
        self._defers = False
        self._read()

    @contextmanager
    def one_transaction(self) -> Iterator[None]:
        """Write a trial that the block creates at its end, with everything that was set.

        If the block or the write fails, the study has no such trial.
        """
        self._read_if_stale()
        self._defers = True
        try:
            yield
            if self._unwritten is not None:
                self._insert(self._trials[self._unwritten])
        except BaseException:
            self._is_stale = True
            raise
        finally:
            self._defers, self._unwritten = False, None

    # Trials

    def create_new_trial(self, _study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Add a trial, by default a running one without parameters; returns its number."""
        self._read_if_stale()
        number = len(self._trials)
        trial = copy.deepcopy(template_trial) or create_trial(state=TrialState.RUNNING)
        trial.number = trial._trial_id = number
        if self._defers:
            self._unwritten = number
        else:
            self._insert(trial)
        self._trials.append(trial)
        self._note_waiting(trial)
        return number

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Set a parameter of a running trial."""
        known = self._distributions.setdefault(param_name, distribution)
        check_distribution_compatibility(known, distribution)
        # One object for all trials, which saves 5 kB per trial of 12 parameters.
        shared = known if known == distribution else distribution
        trial = self._trials[trial_id]
        self._change(
            trial_id,
            lambda stored: self._database.set_trial_param(
                stored, param_name, param_value_internal, distribution
            ),
            params=trial.params | {param_name: shared.to_external_repr(param_value_internal)},
            distributions=trial.distributions | {param_name: shared},
        )

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Start a waiting trial, or finish a running one; False if it cannot start."""
        if state is TrialState.RUNNING and self._trials[trial_id].state is not TrialState.WAITING:
            return False
        moment = "datetime_complete" if state.is_finished() else "datetime_start"
        changes: dict[str, Any] = {"state": state, moment: datetime.now()}
        if values is not None:
            changes["values"] = list(values)
        self._change(
            trial_id, lambda stored: self._tables.set_state(stored, state, values), **changes
        )
        self._note_waiting(self._trials[trial_id])
        return True

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Refused: the objectives at a rung are attributes.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("a search stores no intermediate values")

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set a user attribute of a running trial."""
        self._change(
            trial_id,
            lambda stored: self._database.set_trial_user_attr(stored, key, value),
            user_attrs=self._trials[trial_id].user_attrs | {key: value},
        )

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set a system attribute of a running trial, such as a constraint."""
        self._change(
            trial_id,
            lambda stored: self._database.set_trial_system_attr(stored, key, value),
            system_attrs=self._trials[trial_id].system_attrs | {key: value},
        )

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The trial of a number."""
        if not 0 <= trial_id < len(self._trials):
            raise KeyError(f"the study has no trial {trial_id}")
        return self._trials[trial_id]

    def get_all_trials(
        self,
        _study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials by number."""
        if states == (TrialState.WAITING,):  # asked before every proposal
            trials = [self._trials[number] for number in sorted(self._waiting)]
        elif states is not None:
            trials = [trial for trial in self._trials if trial.state in states]
        else:
            trials = list(self._trials)
        return copy.deepcopy(trials) if deepcopy else trials

    # The study

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Create another study in the database."""
        return self._database.create_new_study(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        """Delete a study from the database."""
        self._database.delete_study(study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set a user attribute of the study."""
        self._database.set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Set a system attribute of the study."""
        self._database.set_study_system_attr(study_id, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        """The database's id of a study."""
        return self._database.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """The name of a study."""
        return self._database.get_study_name_from_id(study_id)

    def get_study_directions(self, _study_id: int) -> list[StudyDirection]:
        """The directions of the objectives."""
        return self._directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """The user attributes of the study."""
        return self._database.get_study_user_attrs(study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """The system attributes of the study."""
        return self._database.get_study_system_attrs(study_id)

    def get_all_studies(self) -> list[FrozenStudy]:
        """All studies of the database."""
        return self._database.get_all_studies()

    # Memory and database

    def _read(self) -> None:
        self._ids, self._trials = self._tables.read()
        self._waiting = {t.number for t in self._trials if t.state is TrialState.WAITING}
        self._distributions: dict[str, BaseDistribution] = {}
        for trial in self._trials:
            self._distributions = trial.distributions | self._distributions
        self._is_stale = False

    def _read_if_stale(self) -> None:
        if self._is_stale:
            self._read()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._read_if_stale()
        self._is_stale = True  # until the write has succeeded
        yield
        self._is_stale = False

    def _insert(self, trial: FrozenTrial) -> None:
        with self._writing():
            self._ids.append(self._tables.insert(trial))

    def _change(self, number: int, write: Callable[[int], object], **fields: Any) -> None:
        """Write to the database's trial, then replace the trial in memory by a changed copy.

        Optuna and our own handles keep the trials that they were given, which must not change.
        """
        trial = self.get_trial(number)
        self.check_trial_is_updatable(number, trial.state)
        if number != self._unwritten:
            with self._writing():
                write(self._ids[number])
        self._trials[number] = trial = copy.copy(trial)
        for name, value in fields.items():
            setattr(trial, name, value)

    def _note_waiting(self, trial: FrozenTrial) -> None:
        if trial.state is TrialState.WAITING:
            self._waiting.add(trial.number)
        else:
            self._waiting.discard(trial.number)
