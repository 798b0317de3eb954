"""The Optuna study of a search: made once, opened again on resume."""

import warnings

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from mixfront.exceptions import SpecError
from mixfront.installation.extras import missing_extra
from mixfront.records.scrub import scrub_text
from mixfront.spec.search_spec import SearchSpec

_DIRECTIONS = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
_ENQUEUED = "mixfront:enqueued"
_SECONDS = "mixfront:seconds"


def open_study(spec: SearchSpec, storage_url: str, search_id: str) -> optuna.Study:
    """The study of a search, made if it is not there; optuna-dashboard opens it too.

    Raises:
        SpecError: If Optuna cannot use the storage.
        MissingExtraError: If an extra of mixfront brings the driver of its database.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # each tell is a line otherwise
    try:
        study = optuna.create_study(
            study_name=search_id,
            storage=storage_url,
            directions=[_DIRECTIONS[objective.direction] for objective in spec.objectives],
            load_if_exists=True,
        )
    except Exception as problem:  # each database driver has errors of its own
        if lacking := missing_extra(f"the study at {scrub_text(storage_url)}", problem):
            raise lacking from None
        reason = f"{type(problem).__name__}: {str(problem).splitlines()[0]}"
        sentence = f"Optuna cannot open {storage_url!r} ({reason}); check `optuna_storage:`"
        raise SpecError(scrub_text(f"{sentence} or OPTUNA_STORAGE")) from problem
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # names for optuna-dashboard
        study.set_metric_names([objective.metric for objective in spec.objectives])
    study.sampler = make_sampler(spec, len(study.get_trials(deepcopy=False)))
    return study


def make_sampler(spec: SearchSpec, num_trials: int) -> optuna.samplers.BaseSampler:
    """The sampler of a study that holds `num_trials` already.

    A resumed search must not draw the first configurations once more, so the seed moves on.
    """
    config = spec.search
    seed = int(np.random.SeedSequence([config.seed, num_trials]).generate_state(1)[0])
    if config.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # `group` is what we come for
        return optuna.samplers.TPESampler(
            n_startup_trials=config.startup_trials, multivariate=True, group=True, seed=seed
        )


def running_trial(study: optuna.Study, number: int) -> Trial | None:
    """The handle of a trial that the study holds as RUNNING, whoever asked for it.

    `Study.tell` takes a number, but constraints and attributes need this handle, and Optuna has
    no other way to one after a restart.
    """
    frozen = frozen_trial(study, number)
    if frozen is None or frozen.state is not TrialState.RUNNING:
        return None
    return Trial(study, frozen._trial_id)


def frozen_trial(study: optuna.Study, number: int) -> FrozenTrial | None:
    """A trial as the study holds it, or None."""
    trials = study.get_trials(deepcopy=False)
    return trials[number] if 0 <= number < len(trials) else None


def num_enqueued(study: optuna.Study) -> int:
    """How many of the spec's `enqueue` the study has taken."""
    return int(study.user_attrs.get(_ENQUEUED, 0))


def set_num_enqueued(study: optuna.Study, count: int) -> None:
    """Note it, so that a resumed search does not enqueue them again."""
    study.set_user_attr(_ENQUEUED, count)


def elapsed_seconds(study: optuna.Study) -> float:
    """Wall time that earlier drivers of this search have spent."""
    return float(study.user_attrs.get(_SECONDS, 0.0))


def set_elapsed_seconds(study: optuna.Study, seconds: float) -> None:
    """Note the wall time, so that a resumed search has only the rest of its time budget."""
    study.set_user_attr(_SECONDS, seconds)
