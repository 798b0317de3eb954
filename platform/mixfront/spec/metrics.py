"""The one table of everything that a trial reports.

Direction, scale, unit, human name and help of a metric are stated here and nowhere else. A test
trains a model and checks that workers report exactly these names.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Literal

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.training.request import TEST_PREFIX

Direction = Literal["min", "max"]
SMALLEST_COST = 1e-12  # the logarithm of a cost of zero must stay finite


class Known(StrEnum):
    """When the value of a metric is first known."""

    BEFORE_TRAINING = "before training"  # the configuration alone decides it
    AT_EVALUATIONS = "at every evaluation"
    AT_THE_END = "at the end of a trial"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row of the table."""

    name: str  # `*` matches anything: one row for numbers that each layer has
    label: str  # for axes and table heads
    unit: str = ""
    direction: Direction  # the better way
    known: Known
    is_cost: bool = False  # what a model takes, not what it achieves
    log10: bool = False  # spans decades, so its logarithm is compared; true of every cost
    steers: bool = True  # may be an objective or a constraint
    worst: float | None = None  # of a model that knows nothing; None: the space's extremes decide
    help: str

    @property
    def before_training(self) -> bool:
        """Whether a configuration can be refused before it costs anything."""
        return self.known is Known.BEFORE_TRAINING

    @property
    def title(self) -> str:
        """Label and unit, as on an axis."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def scaled(self, value: float) -> float:
        """The value on the scale of hypervolume and reference points: log10 for costs."""
        return math.log10(max(value, SMALLEST_COST)) if self.log10 else value


def _quality(name: str, label: str, direction: Direction, worst: float, help: str) -> Metric:
    return Metric(
        name=name,
        label=label,
        direction=direction,
        known=Known.AT_EVALUATIONS,
        worst=worst,
        help=help,
    )


def _cost(name: str, label: str, unit: str, help: str) -> Metric:
    return Metric(
        name=name,
        label=label,
        unit=unit,
        direction="min",
        known=Known.BEFORE_TRAINING,
        is_cost=True,
        log10=True,
        help=help,
    )


def _latency(percentile: int, rows: int, worst: float) -> Metric:
    which = "median" if percentile == 50 else f"{percentile}th percentile of the"
    size = "1 row" if rows == 1 else f"{rows} rows"
    return Metric(
        name=f"latency_p{percentile}_ms_b{rows}",
        label=f"p{percentile} latency, {size}",
        unit="ms",
        direction="min",
        known=Known.AT_THE_END,
        is_cost=True,
        log10=True,
        worst=worst,
        help=f"{which} time to score {size} of encoded data with the exported model",
    )


def _note(
    name: str, label: str, direction: Direction, help: str, *, unit: str = "", log10: bool = False
) -> Metric:
    """Reported, but never an objective or a constraint."""
    return Metric(
        name=name,
        label=label,
        unit=unit,
        direction=direction,
        known=Known.AT_EVALUATIONS,
        log10=log10,
        steers=False,
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
    # Of the exported model in fp32 on rank 0's device: with one of them as an objective, nothing
    # is stopped at a rung, because it is known at the end of a trial only.
    _latency(50, 1, 1e3),
    _latency(99, 1, 1e3),
    _latency(50, 512, 1e4),
    _latency(99, 512, 1e4),
    Metric(
        name="samples_per_s",
        label="Training throughput",
        unit="samples/s",
        direction="max",
        known=Known.AT_EVALUATIONS,
        log10=True,
        worst=1.0,
        help="training throughput of the trial's workers",
    ),
    _note("train_loss", "Training loss", "min", "mean loss since the last evaluation"),
    _note("step_seconds", "Time per step", "min", "time per optimizer step", unit="s", log10=True),
    _note("mfu", "MFU", "max", "model FLOPs utilisation: share of the measured GEMM rate"),
    _note("mixing/tau", "Temperature", "min", "Sinkhorn temperature at the evaluation"),
    _note(
        "mixing/*_support_layer*",
        "Effective support",
        "min",
        "exp(entropy) of a row of a learned mixing matrix, mean over rows",
    ),
    _note(
        "mixing/*_peak_layer*",
        "Largest share",
        "max",
        "largest entry of a row of a learned mixing matrix, mean over rows",
    ),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
STEERING: dict[str, Metric] = {name: metric for name, metric in METRICS.items() if metric.steers}


def get_metric(name: str) -> Metric:
    """The row of a metric that may steer a search.

    Raises:
        UnknownNameError: If no trial reports it, or it may not steer; names the nearest.
        SpecError: If it is one of the test split, which never decides anything.
    """
    if name.startswith(TEST_PREFIX):
        raise SpecError(
            f"{name!r} cannot steer a search: the test split is reported and never decides "
            f"anything; use {name.removeprefix(TEST_PREFIX)!r} of the validation split"
        )
    if name not in STEERING:
        raise UnknownNameError("metric", name, STEERING)
    return STEERING[name]


def describe_metric(name: str) -> Metric:
    """The row of any reported metric, those of the test split included.

    A name that the table lacks (from a record of another version) gets a plain row: higher is
    better, linear, no unit.
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
        known=Known.AT_EVALUATIONS,
        steers=False,
        help="not in this version's table of metrics",
    )
