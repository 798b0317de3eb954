"""What a study says about its trials, as the sampler needs it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from mixfront.samplers.candidates import Describe, Known
from mixfront.samplers.suggestions import Repeated

ValuesByFidelity = Callable[[FrozenTrial], Mapping[float, float]]
"""A trial's values so far, by the share of its training after which they were measured."""


@dataclass(frozen=True)
class PastTrial:
    """A feasible trial that runs, or has values.

    Attributes:
        params: Its parameters.
        known: What was known about it before training.
        values: By fidelity; empty while it has none.
        ended: When it ended, in seconds; None while it runs.
    """

    params: Mapping[str, Any]
    known: Known
    values: Mapping[float, float]
    ended: float | None


@dataclass
class TrialReader:
    """Reads a study's trials; describes every one of them once.

    Args:
        describe: Says what is known about a configuration.
        values: A trial's values.
    """

    describe: Describe
    values: ValuesByFidelity
    _known: dict[int, Known | None] = field(default_factory=dict, repr=False)

    def read(self, trials: list[FrozenTrial], but: int) -> list[PastTrial]:
        """The trials that count: first those that ended, in that order, then those that run.

        Args:
            trials: All trials of the study.
            but: Number of the one for which a configuration is being chosen.
        """
        past = []
        for trial in trials:
            if trial.number == but or not trial.params or trial.state is TrialState.FAIL:
                continue
            known, values = self._describe(trial), dict(self.values(trial))
            if known is not None and (values or trial.state is TrialState.RUNNING):
                done = trial.datetime_complete
                ended = None if done is None else done.timestamp()
                past.append(PastTrial(trial.params, known, values, ended))
        return sorted(past, key=lambda trial: math.inf if trial.ended is None else trial.ended)

    def _describe(self, trial: FrozenTrial) -> Known | None:
        if trial.number not in self._known:
            nothing_is_random = np.random.default_rng(0)
            repeated = Repeated(trial.params, nothing_is_random, trial.user_attrs)
            self._known[trial.number] = self.describe(repeated)
        return self._known[trial.number]
