"""An Optuna sampler for one uncertain objective and costs that are known without training."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from mixfront.samplers.acquisition import FrontLevels, expected_gain
from mixfront.samplers.candidates import Candidate, CandidateSource, Describe, Known, known_of
from mixfront.samplers.features import FeatureColumns
from mixfront.samplers.surrogate import Hyperparameters, Posterior, Scale, fit

Array = npt.NDArray[np.float64]

POOL = 1000  # random candidates; their largest cost is the reference
RENEWED = 200  # of them, per proposal
NEIGHBOURS = 500
FINALISTS = 200  # that are compared over all draws
DRAWS = 16
REFIT_GROWTH = 1.1  # results since the last fit of the hyperparameters


class ExactCostSampler(BaseSampler):
    """Proposes the configuration of the largest expected hypervolume gain.

    Args:
        describe: Suggests a whole configuration on a trial, and returns what is known about it,
            or None if it is infeasible; see `Known`.
        value: Index of the uncertain objective; all others are costs, in `Known.costs`' order.
        startup_trials: Proposals at random, spread over the costs, before the first model.
        reference_value: Below it a value adds nothing; the median of the results if None.
        seed: A proposal depends on it, the trial's number and the results so far.
    """

    def __init__(
        self,
        describe: Describe,
        *,
        value: int = 0,
        startup_trials: int = 10,
        reference_value: float | None = None,
        seed: int = 0,
    ) -> None:
        self._source = CandidateSource(describe)
        self._describe = describe
        self._value = value
        self._startup_trials = startup_trials
        self._reference_value = reference_value
        self._seed = seed
        self._independent = RandomSampler(seed=seed)
        self._pool: list[Candidate] = []
        self._columns: FeatureColumns | None = None
        self._known: dict[int, Known | None] = {}  # by trial number
        self._fitted: tuple[int, Hyperparameters] | None = None  # with the number of results
        self._chosen: dict[int, Candidate] = {}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The parameters of the configuration that is proposed."""
        candidate = self._propose(study, trial.number)
        if candidate is None:
            return {}
        self._chosen[trial.number] = candidate
        return dict(candidate.distributions)

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """Their values."""
        candidate = self._chosen.pop(trial.number, None)
        return {} if candidate is None else dict(candidate.params)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """At random, if a proposal lacks a parameter."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _propose(self, study: optuna.Study, number: int) -> Candidate | None:
        rng = np.random.default_rng([self._seed, number])
        self._renew_pool(rng)
        if not self._pool:
            return None
        results, pending = self._trials(study, number)
        if len(results) < self._startup_trials:
            return self._spread_out(number)
        return self._best(study, results, pending, rng)

    def _renew_pool(self, rng: np.random.Generator) -> None:
        if self._columns is None:
            first = np.random.default_rng([self._seed, 2**31])
            self._pool = self._source.random(POOL, first)
            self._columns = FeatureColumns.of_space([c.known.features for c in self._pool])
            self._reference_costs = np.max([c.known.costs for c in self._pool], axis=0) if self._pool else None
        self._pool = self._pool[RENEWED:] + self._source.random(RENEWED, rng)

    def _trials(
        self, study: optuna.Study, number: int
    ) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
        trials = study.get_trials(deepcopy=False)
        for trial in trials:
            if trial.number not in self._known and trial.number != number and trial.params:
                self._known[trial.number] = known_of(self._describe, trial.params)
        usable = [t for t in trials if self._known.get(t.number) is not None]
        results = [t for t in usable if t.state is TrialState.COMPLETE]
        results.sort(key=lambda t: (t.datetime_complete, t.number))
        pending = [t for t in usable if t.state is TrialState.RUNNING and t.number != number]
        return results, pending

    def _spread_out(self, number: int) -> Candidate:
        """The candidate at the next quantile of the first cost, from a low-discrepancy sequence."""
        share = math.modf(0.5 + number * (math.sqrt(5) - 1) / 2)[0]
        by_cost = sorted(self._pool, key=lambda c: c.known.costs)
        return by_cost[int(share * len(by_cost))]

    def _best(
        self,
        study: optuna.Study,
        results: Sequence[FrozenTrial],
        pending: Sequence[FrozenTrial],
        rng: np.random.Generator,
    ) -> Candidate:
        maximise = study.directions[self._value] is StudyDirection.MAXIMIZE
        values = np.array([t.values[self._value] for t in results]) * (1 if maximise else -1)
        scale = Scale.of(values)
        targets = scale.standardised(values)
        known = [self._known[t.number] for t in [*results, *pending]]
        rows, costs = self._rows(known), np.array([k.costs for k in known if k is not None])
        n = len(results)
        model = self._hyperparameters(rows[:n], targets)
        posterior = Posterior(model, rows[:n], targets, rows[n:])
        reference = self._reference_value
        reference = float(np.median(values)) if reference is None else reference * (1 if maximise else -1)
        level = (reference - scale.mean) / scale.deviation

        def front(latent: Array) -> FrontLevels:
            return FrontLevels.of_points(costs, latent, self._reference_costs, level)

        mean_front = front(posterior.mean)
        parents = [t.params for t in [*results, *pending]]
        on_front = _non_dominated(costs, posterior.mean)
        near = self._source.near([parents[i] for i in on_front], NEIGHBOURS, rng)
        candidates = [*self._pool, *near]
        taken = {tuple(sorted(map(str, p.items()))) for p in parents}
        candidates = [c for c in candidates if tuple(sorted(map(str, c.params.items()))) not in taken] or candidates
        candidate_rows = self._rows([c.known for c in candidates])
        candidate_costs = np.array([c.known.costs for c in candidates])
        mean, deviation = posterior.given(posterior.mean[None], candidate_rows)
        gain = expected_gain(mean_front, candidate_costs, mean[0], deviation)
        best = np.argsort(-gain)[:FINALISTS]
        latents = posterior.draws(DRAWS, rng)
        means, deviation = posterior.given(latents, candidate_rows[best])
        total = sum(
            expected_gain(front(latent), candidate_costs[best], mean, deviation)
            for latent, mean in zip(latents, means, strict=True)
        )
        return candidates[best[int(np.argmax(total))]]

    def _rows(self, known: Sequence[Known | None]) -> Array:
        assert self._columns is not None
        present = [k for k in known if k is not None]
        costs = np.array([k.costs for k in present])
        if len(present) == 0:
            return np.empty((0, len(self._columns.columns) + len(self._pool[0].known.costs)))
        low = np.min([c.known.costs for c in self._pool], axis=0)
        span = np.maximum(self._reference_costs - self._low(), 1e-12)
        return np.column_stack([self._columns.rows([k.features for k in present]), (costs - self._low()) / span])

    def _low(self) -> Array:
        if not hasattr(self, "_low_costs"):
            self._low_costs = np.min([c.known.costs for c in self._pool], axis=0)
        return self._low_costs

    def _hyperparameters(self, rows: Array, targets: Array) -> Hyperparameters:
        if self._fitted is None or len(rows) >= REFIT_GROWTH * self._fitted[0]:
            self._fitted = len(rows), fit(rows, targets)
        return self._fitted[1]


def _non_dominated(costs: Array, values: Array) -> list[int]:
    cheaper = (costs[:, None] <= costs[None]).all(axis=2)
    better = values[:, None] >= values[None]
    strictly = (costs[:, None] < costs[None]).any(axis=2) | (values[:, None] > values[None])
    return [int(i) for i in np.flatnonzero(~(cheaper & better & strictly).any(axis=0))]
