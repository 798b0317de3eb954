"""AUCs of all models of the study, with the covariance that their standard errors come from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tests.bench.scaling.paired import Floats, placements, row_covariance, seed_variance
from tests.bench.scaling.runs import RunResult

DRAWS = 1000


@dataclass(frozen=True, kw_only=True)
class Model:
    """One label and size, over its seeds."""

    label: str
    size: str
    learning_rate: float
    params: float
    flops: float
    aucs: tuple[float, ...]  # one per seed

    @property
    def auc(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.aucs))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All models, and the covariance (M, M) of their mean AUCs."""

    models: tuple[Model, ...]
    covariance: Floats
    seed_deviation: float  # of one run, pooled

    def index(self, label: str, size: str) -> int:
        """Position of a model."""
        return next(
            i for i, model in enumerate(self.models) if (model.label, model.size) == (label, size)
        )

    def of(self, label: str) -> list[int]:
        """Positions of a label's models, by FLOPs ascending."""
        matches = [i for i, model in enumerate(self.models) if model.label == label]
        return sorted(matches, key=lambda i: self.models[i].flops)

    def difference(self, first: int, second: int) -> tuple[float, float]:
        """AUC of the first model minus the second's, and its paired standard error."""
        c = self.covariance
        variance = c[first, first] + c[second, second] - 2 * c[first, second]
        return self.models[first].auc - self.models[second].auc, math.sqrt(max(variance, 0.0))

    def draws(self, count: int = DRAWS) -> Floats:
        """AUCs as they could have been with other rows and seeds: (count, M), normal."""
        mean = np.array([model.auc for model in self.models])
        rng = np.random.default_rng(0)
        sampled: Floats = rng.multivariate_normal(
            mean, self.covariance, count, check_valid="ignore"
        )
        return sampled


def measure(results: Sequence[RunResult], label: Floats, scores: Path) -> Measured:
    """Read the scores of all runs; AUCs of a model's seeds are averaged.

    Args:
        results: One per run.
        label: Labels of the evaluation rows: (N,).
        scores: Folder of the scores.
    """
    groups = dict[tuple[str, str], list[RunResult]]()
    for result in results:
        groups.setdefault((result.label, result.size), []).append(result)
    models = tuple(_model(group) for group in groups.values())
    shares = [_mean_placements(group, label, scores) for group in groups.values()]
    variance = seed_variance({f"{m.label} {m.size}": m.aucs for m in models})
    by_seed = np.diag([variance / len(model.aucs) for model in models])
    return Measured(
        models=models,
        covariance=row_covariance(label, shares) + by_seed,
        seed_deviation=math.sqrt(variance),
    )


def best_learning_rates(results: Sequence[RunResult]) -> Mapping[str, float]:
    """Label -> the learning rate with the highest validation AUC."""
    ascending = sorted(results, key=lambda result: result.validation_auc)
    return {result.label: result.learning_rate for result in ascending}


def _model(group: Sequence[RunResult]) -> Model:
    first = group[0]
    return Model(
        label=first.label,
        size=first.size,
        learning_rate=first.learning_rate,
        params=first.params,
        flops=first.flops,
        aucs=tuple(result.auc for result in group),
    )


def _mean_placements(group: Sequence[RunResult], label: Floats, scores: Path) -> Floats:
    files = (scores / f"{result.key}.npy" for result in group)
    mean: Floats = np.mean([placements(label, np.load(file)) for file in files], axis=0)
    return mean
