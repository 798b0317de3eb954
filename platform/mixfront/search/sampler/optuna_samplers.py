"""Optuna's own samplers, with seeds that differ when a search is resumed."""

import warnings

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning

from mixfront.spec.search_spec import SearchSpec


def make_sampler(spec: SearchSpec, num_trials: int) -> optuna.samplers.BaseSampler:
    """The sampler of a study that already has `num_trials` trials.

    The seed depends on `num_trials`, so that a resumed search does not repeat its first samples.
    """
    config = spec.search
    seed = int(np.random.SeedSequence([config.seed, num_trials]).generate_state(1)[0])
    if config.sampler != "tpe":  # `Proposals` makes that of "mixfront", which needs the space
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ExperimentalWarning
        )  # for `group`, which suits conditional spaces
        return optuna.samplers.TPESampler(
            n_startup_trials=config.startup_trials, multivariate=True, group=True, seed=seed
        )
