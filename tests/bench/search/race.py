"""One search by one sampler on simulated lanes: how its front grows with the compute it spends."""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from tests.bench.search.problem import Floats, Outcome, Problem, Yardstick

from mixfront.samplers.exact_cost_sampler import ExactCostSampler

DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)

MakeSampler = Callable[[Problem, int], BaseSampler]  # of a problem and a seed

SAMPLERS: dict[str, MakeSampler] = {
    "random": lambda _problem, seed: optuna.samplers.RandomSampler(seed=seed),
    "tpe": lambda _problem, seed: optuna.samplers.TPESampler(
        seed=seed, multivariate=True, group=True
    ),
    "nsga2": lambda _problem, seed: optuna.samplers.NSGAIISampler(seed=seed),
    "mixfront": lambda problem, seed: ExactCostSampler(problem.describe, seed=seed),
}


@dataclass(frozen=True)
class Race:
    """What one search found.

    Attributes:
        compute: Seconds of training spent when each trial had ended, (trials,).
        share: Hypervolume then, as a share of the yardstick's, (trials,).
        proposal_s: CPU seconds per proposal.
    """

    compute: Floats
    share: Floats
    proposal_s: float

    def compute_to(self, share: float) -> float:
        """Compute until a share was reached; infinite if it never was."""
        reached = np.flatnonzero(self.share >= share)
        return float(self.compute[reached[0]]) if len(reached) else float("inf")


def race(
    problem: Problem, yardstick: Yardstick, sampler: BaseSampler, *, trials: int, lanes: int
) -> Race:
    """Run a search in simulated time, in which proposals cost nothing.

    A lane that becomes free gets the next proposal at once; the sampler knows only of trials that
    have ended by then, and that the others run.
    """
    study = optuna.create_study(directions=DIRECTIONS, sampler=sampler)
    running: list[tuple[float, int, optuna.Trial, Outcome]] = []
    ended: list[Outcome] = []
    now = proposal_s = 0.0
    while len(ended) < trials:
        while len(running) < lanes and len(ended) + len(running) < trials:
            started = time.process_time()
            trial = study.ask()
            configuration = problem.suggest(trial)
            proposal_s += time.process_time() - started
            outcome = problem.run(configuration)
            heapq.heappush(running, (now + outcome.seconds, trial.number, trial, outcome))
        now, _, trial, outcome = heapq.heappop(running)
        study.tell(trial, [outcome.value, outcome.cost])
        ended.append(outcome)
    costs, values = np.array([o.cost for o in ended]), np.array([o.value for o in ended])
    shares = [yardstick.share(costs[:n], values[:n]) for n in range(1, trials + 1)]
    compute = np.cumsum([outcome.seconds for outcome in ended])
    return Race(compute, np.array(shares), proposal_s / trials)
