"""The scale on which an objective is compared: costs in log10, everything smaller-is-better."""

import math

from mixfront.records import Objective

COSTS = frozenset({"params", "params_total", "flops", "flops_per_sample", "activation_mb"})
COST_PREFIXES = ("latency",)
LOG10 = COSTS | {"samples_per_s"}  # they span decades
LOWER_IS_BETTER = frozenset({"logloss", "train_loss", "step_seconds", "accelerator_seconds"})
SMALLEST_COST = 1e-12  # the logarithm of a cost of zero must stay finite


def is_cost(metric: str) -> bool:
    """Whether a metric is a cost: what a model takes, not what it achieves."""
    return metric in COSTS or metric.startswith(COST_PREFIXES)


def is_log10(metric: str) -> bool:
    """Whether a metric is compared in log10; every cost is."""
    return is_cost(metric) or metric in LOG10


def better_direction(metric: str) -> str:
    """ "min" or "max": which way a metric that is no objective is better."""
    return "min" if is_cost(metric) or metric in LOWER_IS_BETTER else "max"


def scaled(metric: str, value: float) -> float:
    """A value on the scale of hypervolume and of reference points: log10 for costs."""
    return math.log10(max(value, SMALLEST_COST)) if is_log10(metric) else value


def minimised(objective: Objective, scaled_value: float) -> float:
    """A scaled value with the sign that makes smaller better."""
    return scaled_value if objective.direction == "min" else -scaled_value
