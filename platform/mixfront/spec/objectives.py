"""The one table of what a trial reports, and the constraints that may be put on it."""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.pareto.scale import is_log10

Direction = Literal["min", "max"]
TEST_PREFIX = "test_"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that every trial reports."""

    name: str
    direction: Direction  # the better way
    before_training: bool  # the configuration alone decides it
    worst: float | None  # value of a model that knows nothing; None: the space's extremes
    help: str

    @property
    def log10(self) -> bool:
        """Whether it spans decades, so that its logarithm is what is compared."""
        return is_log10(self.name)


def _measured(name: str, direction: Direction, worst: float, help: str) -> Metric:
    return Metric(name=name, direction=direction, before_training=False, worst=worst, help=help)


def _cost(name: str, help: str) -> Metric:
    return Metric(name=name, direction="min", before_training=True, worst=None, help=help)


_ALL = (
    _measured("auc", "max", 0.5, "area under the ROC curve, validation"),
    _measured("uauc", "max", 0.5, "mean AUC over users with both classes, validation"),
    _measured("gauc", "max", 0.5, "impression-weighted AUC over users, validation"),
    _measured("logloss", "min", math.log(2), "mean negative log-likelihood, validation"),
    _cost("params", "dense parameters, without embedding tables"),
    _cost("params_total", "parameters with embedding tables"),
    _cost("flops", "training FLOPs per 2,048 samples"),
    _cost("flops_per_sample", "forward FLOPs per sample"),
    _cost("activation_mb", "megabytes kept for the backward pass of 2,048 samples, fp32"),
    _measured("samples_per_s", "max", 1.0, "training throughput of the trial's workers"),
    # Of the exported model in fp32 on rank 0's device, so known at the end of a trial only: with
    # one of them as objective, nothing is stopped at a rung.
    _measured("latency_p50_ms_b1", "min", 1e3, "median milliseconds to score one encoded row"),
    _measured("latency_p99_ms_b1", "min", 1e3, "99th percentile of it"),
    _measured("latency_p50_ms_b512", "min", 1e4, "median milliseconds to score 512 encoded rows"),
    _measured("latency_p99_ms_b512", "min", 1e4, "99th percentile of it"),
    _measured("latency_raw_p50_ms_b1", "min", 1e3, "median milliseconds to score one raw row"),
    _measured("latency_raw_p99_ms_b1", "min", 1e3, "99th percentile of it"),
    _measured("latency_raw_p50_ms_b512", "min", 1e4, "median milliseconds to score 512 raw rows"),
    _measured("latency_raw_p99_ms_b512", "min", 1e4, "99th percentile of it"),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def get_metric(name: str) -> Metric:
    """Look a metric up.

    Raises:
        UnknownNameError: If no trial reports it; names the nearest.
        SpecError: If it is one of the test split, which never decides anything.
    """
    if name.startswith(TEST_PREFIX):
        raise SpecError(
            f"{name!r} cannot steer a search: the test split is reported and never decides "
            f"anything; use {name.removeprefix(TEST_PREFIX)!r} of the validation split"
        )
    if name not in METRICS:
        raise UnknownNameError("metric", name, METRICS)
    return METRICS[name]


def parse_objective(data: Any) -> Any:
    """An objective as it may stand in a spec: a name, or a mapping whose direction may lack.

    Raises:
        SpecError: If no trial reports the metric, or it may not be an objective.
    """
    if isinstance(data, str):
        data = {"metric": data}
    if not isinstance(data, dict) or not isinstance(data.get("metric"), str):
        return data  # left to the type's own complaint
    metric = get_metric(data["metric"])
    return {"direction": metric.direction} | data


_CONSTRAINT = re.compile(r"^\s*(<=|>=)\s*([-+0-9.eE_]+)\s*$")


class Constraint(BaseModel):
    """A bound on one metric: `metric <= limit` or `metric >= limit`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    op: Literal["<=", ">="]
    limit: float

    def __str__(self) -> str:
        return f"{self.op} {self.limit:g}"

    @property
    def before_training(self) -> bool:
        """Whether a configuration can be refused before it costs anything."""
        return METRICS[self.metric].before_training

    def violation(self, value: float) -> float:
        """By how much the value breaks the constraint; 0 or less: it holds.

        Costs are compared in log10, so that a sampler weighs a model 10 times too large alike
        whether it has too many parameters or too many FLOPs.
        """
        over = value - self.limit
        if METRICS[self.metric].log10 and value > 0 and self.limit > 0:
            over = math.log10(value / self.limit)
        return over if self.op == "<=" else -over


def parse_constraint(metric: str, text: Any) -> Constraint:
    """A constraint from its metric and text such as "<= 20e6".

    Raises:
        SpecError: If the text is no constraint.
        UnknownNameError: If no trial reports the metric.
    """
    get_metric(metric)
    match = _CONSTRAINT.match(text) if isinstance(text, str) else None
    limit = _number(match.group(2)) if match else None
    if match is None or limit is None:
        raise SpecError(
            f"the constraint on {metric!r} is {text!r}: write '<= NUMBER' or '>= NUMBER', "
            f"for example '<= 20e6'"
        )
    return Constraint.model_validate({"metric": metric, "op": match.group(1), "limit": limit})


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
