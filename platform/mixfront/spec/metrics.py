"""The table of every metric that a trial reports.

It is the only place that defines a metric's direction, scale, unit, label and help. A test trains
a model and checks that the workers report exactly these names.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.training.request import TEST_PREFIX

Direction = Literal["min", "max"]
SMALLEST_COST = 1e-12  # keeps the logarithm of a zero cost finite


class Availability(StrEnum):
    """When the value of a metric becomes available."""

    BEFORE_TRAINING = "before training"  # computed from the configuration alone
    AT_EVALUATIONS = "at every evaluation"
    AFTER_TRAINING = "at the end of a trial"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row of the table."""

    name: str  # `*` matches anything, for per-layer metrics
    label: str  # for axes and table headers
    unit: str = ""
    direction: Direction  # which way is better
    available: Availability
    is_cost: bool = False  # as opposed to quality
    log10: bool = False  # spans decades, so its logarithm is compared; true for every cost
    is_optimizable: bool = True  # can be an objective or a constraint
    worst: float | None = None  # of an uninformed model; None: the space's extremes decide
    help: str

    @property
    def before_training(self) -> bool:
        """Whether the configuration alone determines the value."""
        return self.available is Availability.BEFORE_TRAINING

    @property
    def title(self) -> str:
        """Label with unit, for an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def scaled(self, value: float) -> float:
        """The value on the scale of hypervolume and reference points: log10 for costs."""
        return math.log10(max(value, SMALLEST_COST)) if self.log10 else value


def _quality(name: str, label: str, direction: Direction, worst: float, help: str) -> Metric:
    return Metric(
        name=name,
        label=label,
        direction=direction,
        available=Availability.AT_EVALUATIONS,
        worst=worst,
        help=help,
    )


def _cost(name: str, label: str, unit: str, help: str) -> Metric:
    return Metric(
        name=name,
        label=label,
        unit=unit,
        direction="min",
        available=Availability.BEFORE_TRAINING,
        is_cost=True,
        log10=True,
        help=help,
    )


def _latency(percentile: int, rows: int, worst: float, *, raw: bool = False) -> Metric:
    which = "median" if percentile == 50 else f"{percentile}th percentile of the"
    size = "1 row" if rows == 1 else f"{rows} rows"
    kind = "raw" if raw else "encoded"
    return Metric(
        name=f"latency_{'raw_' if raw else ''}p{percentile}_ms_b{rows}",
        label=f"p{percentile} latency, {size}{' of raw data' if raw else ''}",
        unit="ms",
        direction="min",
        available=Availability.AFTER_TRAINING,
        is_cost=True,
        log10=True,
        worst=worst,
        help=f"{which} time to score {size} of {kind} data with the exported model",
    )


def _diagnostic(
    name: str, label: str, direction: Direction, help: str, *, unit: str = "", log10: bool = False
) -> Metric:
    """A metric that is reported, but cannot be an objective or a constraint."""
    return Metric(
        name=name,
        label=label,
        unit=unit,
        direction=direction,
        available=Availability.AT_EVALUATIONS,
        log10=log10,
        is_optimizable=False,
        help=help,
    )


_ROWS = (
    _quality("auc", "AUC", "max", 0.5, "area under the ROC curve, validation"),
    _quality("uauc", "UAUC", "max", 0.5, "mean AUC over users with both classes, validation"),
    _quality("gauc", "GAUC", "max", 0.5, "impression-weighted AUC over users, validation"),
    _quality(
        "logloss", "Log loss", "min", math.log(2), "mean negative log-likelihood, validation"
    ),
    _cost("params", "Dense parameters", "", "dense parameters, without embedding tables"),
    _cost("params_total", "All parameters", "", "parameters with embedding tables"),
    _cost("flops", "Training FLOPs", "per 2,048 samples", "training FLOPs per 2,048 samples"),
    _cost("flops_per_sample", "Forward FLOPs", "per sample", "forward FLOPs per sample"),
    _cost(
        "activation_mb",
        "Activation memory",
        "MB",
        "megabytes kept for the backward pass of 2,048 samples, fp32",
    ),
    # Measured with the exported model in fp32 on rank 0's device, at the end of a trial. So a
    # search that optimises a latency stops no trial at a rung.
    _latency(50, 1, 1e3),
    _latency(99, 1, 1e3),
    _latency(50, 512, 1e4),
    _latency(99, 512, 1e4),
    _latency(50, 1, 1e3, raw=True),
    _latency(99, 1, 1e3, raw=True),
    _latency(50, 512, 1e4, raw=True),
    _latency(99, 512, 1e4, raw=True),
    Metric(
        name="samples_per_s",
        label="Training throughput",
        unit="samples/s",
        direction="max",
        available=Availability.AT_EVALUATIONS,
        log10=True,
        worst=1.0,
        help="training throughput of the trial's workers",
    ),
    _diagnostic("train_loss", "Training loss", "min", "mean loss since the last evaluation"),
    _diagnostic(
        "step_seconds", "Time per step", "min", "time per optimizer step", unit="s", log10=True
    ),
    _diagnostic("mfu", "MFU", "max", "model FLOPs utilisation: share of the measured GEMM rate"),
    _diagnostic("mfu_vendor", "MFU of peak", "max", "share of the vendor's bf16 peak, on GPUs"),
    _diagnostic("mixing/tau", "Temperature", "min", "Sinkhorn temperature at the evaluation"),
    _diagnostic(
        "mixing/*_support_layer*",
        "Effective support",
        "min",
        "exp(entropy) of a row of a learned mixing matrix, mean over rows",
    ),
    _diagnostic(
        "mixing/*_peak_layer*",
        "Largest share",
        "max",
        "largest entry of a row of a learned mixing matrix, mean over rows",
    ),
    _diagnostic(
        "mixing/*_distance_layer*",
        "Distance moved",
        "max",
        "|W - W0|_F / sqrt(m) of learned m x m mixing matrices W, where W0 has the initial logits "
        "at the same temperature; mean over matrices",
    ),
    _diagnostic(
        "mixing/*_grad_norm_layer*",
        "Gradient norm",
        "max",
        "norm of the gradient of the mixing logits at the last step, before clipping",
        log10=True,
    ),
    _diagnostic(
        "experts/*_share*_layer*",
        "Expert share",
        "min",
        "share of rows of a token's busiest, second, ... routed expert, mean over tokens",
    ),
    _diagnostic(
        "experts/*_dead_layer*",
        "Dead experts",
        "min",
        "routed experts that no row of an evaluation selected, over all tokens",
    ),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
OPTIMIZABLE: dict[str, Metric] = {
    name: metric for name, metric in METRICS.items() if metric.is_optimizable
}


def get_metric(name: str) -> Metric:
    """The row of a metric that can be an objective or a constraint.

    Raises:
        UnknownNameError: If no such metric exists, or it is only reported; suggests a close name.
        SpecError: If it is measured on the test split, which must not influence the search.
    """
    if name.startswith(TEST_PREFIX):
        raise SpecError(
            f"{name!r} cannot be an objective or a constraint, because the test split is only "
            f"reported; use {name.removeprefix(TEST_PREFIX)!r}, measured on the validation split"
        )
    if name not in OPTIMIZABLE:
        raise UnknownNameError("metric", name, OPTIMIZABLE)
    return OPTIMIZABLE[name]


def describe_metric(name: str) -> Metric:
    """The row of any reported metric, including those of the test split.

    A name that is not in the table (from a record of another version) gets a default row: higher
    is better, linear, no unit.
    """
    bare = name.removeprefix(TEST_PREFIX)
    if bare in METRICS:
        return METRICS[bare]
    for pattern, metric in METRICS.items():
        if "*" in pattern and fnmatchcase(bare, pattern):
            return metric
    return Metric(
        name=name,
        label=name,
        direction="max",
        available=Availability.AT_EVALUATIONS,
        is_optimizable=False,
        help="not in this version's table of metrics",
    )
