"""What the study trains: learning rates at the smallest size, then every size with every seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.scaling.dataset import DatasetConfig, Truth, prepare_dataset
from tests.bench.scaling.measured import best_learning_rates
from tests.bench.scaling.runs import Run, RunResult
from tests.bench.scaling.shapes import BASELINES, FAMILIES, Shape
from tests.bench.scaling.workers import run_missing

BASELINE_SIZE = "baseline"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The grid of one study."""

    data: DatasetConfig
    families: Mapping[str, Mapping[str, Shape]]  # family -> size -> shape, the smallest first
    baselines: Mapping[str, Shape]
    learning_rates: tuple[float, ...] = (1e-3, 2e-3, 4e-3)
    seeds: tuple[int, ...] = (1, 2)
    batch_size: int = 1024
    embeddings: Mapping[str, Any]  # the section `embedding_optimizer`

    def run(self, label: str, size: str, shape: Shape, seed: int, learning_rate: float) -> Run:
        """One run with the training that all share."""
        return Run(
            label=label,
            size=size,
            family=shape.family,
            model=shape.model,
            training={
                "batch_size": self.batch_size,
                "optimizer": {"lr": learning_rate, **shape.optimizer},
                "embedding_optimizer": dict(self.embeddings),
                "precision": "fp32",
            },
            seed=seed,
        )


EMBEDDINGS = {"kind": "adagrad", "lr": 0.05, "init_std": 0.01}
FULL = Plan(
    data=DatasetConfig(train_rows=2_000_000, validation_rows=50_000, evaluation_rows=500_000),
    families=FAMILIES,
    baselines=BASELINES,
    embeddings=EMBEDDINGS,
)
QUICK = Plan(
    data=DatasetConfig(train_rows=60_000, validation_rows=10_000, evaluation_rows=50_000),
    families={
        name: {size: FAMILIES[name][size] for size in ("S", "M", "L")}
        for name in ("rankmixer", "unimixer_lite")
    },
    baselines=BASELINES,
    learning_rates=(2e-3, 4e-3),
    embeddings=EMBEDDINGS,
)


def run_study(plan: Plan, folder: Path, *, num_workers: int) -> tuple[Truth, list[RunResult]]:
    """Run what is missing; returns the truth about the data and the results of the grid."""
    truth = prepare_dataset(folder, plan.data)
    rates = tuned_rates(plan, list(plan.families), folder, num_workers=num_workers)
    grid = [
        plan.run(label, size, shape, seed, rates[label])
        for label, sizes in with_baselines(plan).items()
        for size, shape in sizes.items()
        for seed in plan.seeds
    ]
    return truth, run_missing(grid, folder, num_workers=num_workers)


def tuned_rates(
    plan: Plan, families: Sequence[str], folder: Path, *, num_workers: int
) -> Mapping[str, float]:
    """Label -> best learning rate by validation AUC at the smallest size, with the first seed."""
    smallest = {
        label: next(iter(sizes.items()))
        for label, sizes in with_baselines(plan).items()
        if label in families or label in plan.baselines
    }
    runs = [
        plan.run(label, size, shape, plan.seeds[0], rate)
        for label, (size, shape) in smallest.items()
        for rate in plan.learning_rates
    ]
    return best_learning_rates(run_missing(runs, folder, num_workers=num_workers))


def with_baselines(plan: Plan) -> dict[str, Mapping[str, Shape]]:
    """Label -> size -> shape, of families and baselines."""
    baselines = {name: {BASELINE_SIZE: shape} for name, shape in plan.baselines.items()}
    return {**baselines, **plan.families}
