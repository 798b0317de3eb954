"""The Optuna study of a search: created once, reopened on resume."""

import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from mixfront.exceptions import MixfrontError, SpecError
from mixfront.installation.extras import missing_extra
from mixfront.records.scrub import scrub_text
from mixfront.search.sampler.optuna_samplers import make_sampler
from mixfront.search.stored_study.storage import StudyStorage
from mixfront.spec.search_spec import SearchSpec

_DIRECTIONS = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
EXTRA = "mixfront:extra"  # attribute of a trial: keys of its configuration beside the space's
RUNG = "mixfront:rung:"  # the same, with the rung's share: the trial's objectives there
_ENQUEUED = "mixfront:enqueued"
_SECONDS = "mixfront:seconds"


def open_study(spec: SearchSpec, storage_url: str, search_id: str) -> optuna.Study:
    """Open the study of a search, or create it, as its only writer.

    Other programs, such as optuna-dashboard, can read it with Optuna.

    Raises:
        SpecError: If Optuna cannot use the storage.
        MissingExtraError: If the database's driver is in an extra that is not installed.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else Optuna logs every tell
    try:
        database = optuna.storages.RDBStorage(storage_url)
        optuna.create_study(
            study_name=search_id,
            storage=database,
            directions=[_DIRECTIONS[objective.direction] for objective in spec.objectives],
            load_if_exists=True,
        )
        study = optuna.Study(search_id, StudyStorage(database, search_id))
    except Exception as error:  # every database driver has its own exceptions
        raise storage_error(storage_url, error) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # optuna-dashboard shows the names
        study.set_metric_names([objective.metric for objective in spec.objectives])
    study.sampler = make_sampler(spec, len(study.get_trials(deepcopy=False)))
    return study


def storage_error(storage_url: str, error: Exception) -> MixfrontError:
    """The error of a database driver as one sentence, without passwords."""
    if missing := missing_extra(f"the study at {scrub_text(storage_url)}", error):
        return missing
    first_line = next(iter(str(error).splitlines()), "")
    reason = f"{type(error).__name__}: {first_line}"
    message = f"the study's database {storage_url!r} cannot be used ({reason})"
    return SpecError(scrub_text(f"{message}; check `optuna_storage:` or OPTUNA_STORAGE"))


def one_transaction(study: optuna.Study) -> AbstractContextManager[None]:
    """A block that writes the trial it asks for all at once, if the study is in a database."""
    storage = study._storage
    return storage.one_transaction() if isinstance(storage, StudyStorage) else nullcontext()


def running_trial(study: optuna.Study, number: int) -> Trial | None:
    """The handle of a trial that is RUNNING in the study, also one of an earlier driver.

    `Study.tell` takes a number, but constraints and attributes need this handle, and Optuna
    offers no public way to get it after a restart.
    """
    frozen = frozen_trial(study, number)
    if frozen is None or frozen.state is not TrialState.RUNNING:
        return None
    return Trial(study, frozen._trial_id)


def running_numbers(study: optuna.Study) -> list[int]:
    """Numbers of the trials that are RUNNING in the study."""
    return [t.number for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))]


def frozen_trial(study: optuna.Study, number: int) -> FrozenTrial | None:
    """A trial of the study, or None if there is no such trial."""
    trials = study.get_trials(deepcopy=False)
    return trials[number] if 0 <= number < len(trials) else None


def num_enqueued(study: optuna.Study) -> int:
    """Number of the spec's `enqueue` configurations that are in the study."""
    trials = study.get_trials(deepcopy=False)
    return sum(_ENQUEUED in trial.user_attrs for trial in trials)


def enqueue(study: optuna.Study, params: dict[str, Any], attrs: dict[str, Any]) -> None:
    """Add a configuration that is tried first, marked as one of the spec's in one transaction."""
    study.enqueue_trial(params, user_attrs={**attrs, _ENQUEUED: True})


def elapsed_seconds(study: optuna.Study) -> float:
    """Wall time that earlier drivers of this search spent."""
    return float(study.user_attrs.get(_SECONDS, 0.0))


def set_elapsed_seconds(study: optuna.Study, seconds: float) -> None:
    """Store the wall time, so that a resumed search only has the rest of its time budget."""
    study.set_user_attr(_SECONDS, seconds)
