"""An Optuna sampler for one objective that needs training, and others that are known before."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from mixfront.samplers.candidates import Candidate, CandidateSource, Describe
from mixfront.samplers.features import SpaceColumns
from mixfront.samplers.gaussian_process import Hyperparameters, fit_hyperparameters
from mixfront.samplers.history import PastTrial, TrialReader, ValuesByFidelity
from mixfront.samplers.proposal import ExpectedGain, Observations, Scale

POOL = 1000  # candidates from the whole space, the same for every proposal
FRESH = 100  # more of them, for one proposal
NEIGHBOURS = 300  # candidates near the front
MAX_TRIALS = 300  # with values in the model, whose time grows with the cube of their number
MAX_RUNNING = 100  # without
REFIT_GROWTH = (
    1.1  # of the number of trials that ended, until the hyperparameters are fitted again
)


class ExactCostSampler(BaseSampler):
    """Proposes the configuration of the largest expected hypervolume gain.

    Of the study's objectives, one is uncertain until a trial is trained. The others are functions
    of the configuration, such as FLOPs, so no model has to learn them and no candidate's cost is
    ever misjudged. A proposal is a function of the seed, the trial's number and the study, so a
    search that is interrupted and resumed proposes what it would have proposed.

    Args:
        describe: Says what is known about a configuration.
        uncertain: Index of the objective that needs training; the others are `Known.costs`.
        startup_trials: Trials that are spread over the costs at random before there is a model.
        reference_value: A value that is worse adds no hypervolume; by default the median so far.
        values: A trial's values by fidelity; by default that of a complete trial.
        seed: Of everything random.
    """

    def __init__(
        self,
        describe: Describe,
        *,
        uncertain: int = 0,
        startup_trials: int = 10,
        reference_value: float | None = None,
        values: ValuesByFidelity | None = None,
        seed: int = 0,
    ) -> None:
        self._source = CandidateSource(describe)
        self._uncertain = uncertain
        self._startup_trials = startup_trials
        self._reference_value = reference_value
        self._seed = seed
        self._reader = TrialReader(describe, values or self._final_value)
        self._independent = RandomSampler(seed=seed)
        self._pool: list[Candidate] = []
        self._columns: SpaceColumns | None = None
        self._fitted: tuple[int, Hyperparameters] | None = None  # with the number of trials
        self._proposed: dict[int, Candidate] = {}  # by trial number, until they are sampled

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Choose a configuration, and return the distributions of its parameters."""
        candidate = self._propose(study, trial.number)
        if candidate is None:
            return {}
        self._proposed[trial.number] = candidate
        return dict(candidate.distributions)

    def sample_relative(
        self,
        study: optuna.Study,  # noqa: ARG002 - Optuna's signature
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],  # noqa: ARG002
    ) -> dict[str, Any]:
        """The parameters of the configuration that was chosen."""
        candidate = self._proposed.pop(trial.number, None)
        return {} if candidate is None else dict(candidate.params)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """At random: a parameter that no candidate has, or any if no candidate is feasible."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _propose(self, study: optuna.Study, number: int) -> Candidate | None:
        if not self._pool and not self._fill_pool():
            return None
        past = self._reader.read(study.get_trials(deepcopy=False), but=number)
        if sum(1 for trial in past if trial.values) < self._startup_trials:
            return self._spread_out(number)
        return self._best(past, self._sign(study), np.random.default_rng([self._seed, number]))

    def _fill_pool(self) -> bool:
        """Make the candidates from the whole space; False if none is feasible."""
        self._pool = self._source.anywhere(POOL, np.random.default_rng(self._seed))
        if self._pool:
            self._columns = SpaceColumns.of_space([c.known for c in self._pool])
        return bool(self._pool)

    def _best(self, past: list[PastTrial], sign: float, rng: np.random.Generator) -> Candidate:
        assert self._columns is not None
        hyperparameters = self._hyperparameters(past, sign)
        taken = {_key(trial.params) for trial in past}
        past = [
            *_at_most(MAX_TRIALS, [trial for trial in past if trial.values], rng),
            *_at_most(MAX_RUNNING, [trial for trial in past if not trial.values], rng),
        ]
        observations = Observations.of_trials(past, sign)
        reference = self._reference_value
        gain = ExpectedGain(
            past,
            observations,
            self._columns,
            hyperparameters,
            observations.standard if reference is None else sign * reference,
        )
        near = self._source.near([past[i].params for i in gain.front], NEIGHBOURS, rng)
        candidates = [*self._pool, *self._source.anywhere(FRESH, rng), *near]
        untried = [c for c in candidates if _key(c.params) not in taken]
        return gain.best(untried or candidates, rng)

    def _hyperparameters(self, past: list[PastTrial], sign: float) -> Hyperparameters:
        """Fitted to the trials that had ended when their number last grew by a tenth.

        So they do not depend on when this sampler was made.
        """
        assert self._columns is not None
        ended = [trial for trial in past if trial.ended is not None and trial.values]
        count = _last_refit(self._startup_trials, max(len(ended), 1))
        if self._fitted is None or count != self._fitted[0]:
            rng = np.random.default_rng([self._seed, count])
            chosen = _at_most(MAX_TRIALS, ended[:count] or past, rng)
            observations = Observations.of_trials(chosen, sign)
            known = [chosen[i].known for i in observations.trials]
            rows = self._columns.rows(known, observations.fidelities)
            targets = Scale.of(observations.values)(observations.values)
            self._fitted = count, fit_hyperparameters(rows, targets)
        return self._fitted[1]

    def _spread_out(self, number: int) -> Candidate:
        """The candidate at a quantile of the costs, from a sequence that leaves no gaps."""
        share = math.modf(0.5 + number * (math.sqrt(5) - 1) / 2)[0]
        by_cost = sorted(self._pool, key=lambda candidate: candidate.known.costs)
        return by_cost[int(share * len(by_cost))]

    def _sign(self, study: optuna.Study) -> float:
        return 1.0 if study.directions[self._uncertain] is StudyDirection.MAXIMIZE else -1.0

    def _final_value(self, trial: FrozenTrial) -> Mapping[float, float]:
        if trial.state is not TrialState.COMPLETE:
            return {}
        return {1.0: trial.values[self._uncertain]}


def _last_refit(start: int, count: int) -> int:
    """The largest number of trials, at most `count`, at which hyperparameters are fitted."""
    refit = min(start, count)
    while (following := max(refit + 1, int(refit * REFIT_GROWTH))) <= count:
        refit = following
    return refit


def _at_most(count: int, trials: list[PastTrial], rng: np.random.Generator) -> list[PastTrial]:
    """All trials, or as many at random, in their order."""
    if len(trials) <= count:
        return trials
    chosen = rng.permutation(len(trials))[:count]
    return [trials[i] for i in sorted(chosen)]


def _key(params: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in params.items()))
