"""How much less compute than random search each sampler needs for the same front.

python -m tests.bench.search LCBENCH_FOLDER TASK ... [--seeds 5] [--trials 60] [--lanes 8]

The folder is `lcbench` of https://github.com/slds-lmu/yahpo_data; `pip install onnxruntime`.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from tests.bench.search.lcbench import LcBench
from tests.bench.search.problem import Problem, Yardstick
from tests.bench.search.race import SAMPLERS, Race, race

RANDOM_TRIALS = 200  # full trainings, whose median hypervolume the others have to reach
RANDOM_SEED = 1_000_000  # so that no sampler shares its random numbers


def main() -> None:
    """Print a table per problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--lanes", type=int, default=8)
    parser.add_argument("--samplers", nargs="+", default=[n for n in SAMPLERS if n != "random"])
    chosen = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", ExperimentalWarning)
    for task in chosen.tasks:
        compare(LcBench(chosen.folder, task), chosen)


def compare(problem: Problem, chosen: argparse.Namespace) -> None:
    """Race all samplers on one problem, and print them as they end."""
    yardstick = Yardstick.of(problem)

    def races(name: str, trials: int, first_seed: int) -> list[Race]:
        seeds = range(first_seed, first_seed + chosen.seeds)
        samplers = (SAMPLERS[name](problem, seed) for seed in seeds)
        return [race(problem, yardstick, s, trials=trials, lanes=chosen.lanes) for s in samplers]

    random = races("random", RANDOM_TRIALS, RANDOM_SEED)
    target = float(np.median([r.share[-1] for r in random]))
    compute = float(np.median([r.compute[-1] for r in random]))
    print(f"{problem.name}: {RANDOM_TRIALS} random trials reach {target:.3f} of the hypervolume")
    for name in chosen.samplers:
        ended = races(name, chosen.trials, 0)
        ratios = sorted(compute / r.compute_to(target) for r in ended)  # 0 if never reached
        print(
            f"  {name:10} {np.median(ratios):5.1f} times less compute "
            f"(seeds: {' '.join(f'{ratio:.1f}' for ratio in ratios)}), "
            f"{np.median([r.share[-1] for r in ended]):.3f} after {chosen.trials} trials, "
            f"{1000 * np.mean([r.proposal_s for r in ended]):.0f} ms per proposal",
            flush=True,
        )


if __name__ == "__main__":
    main()
