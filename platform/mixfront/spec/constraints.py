"""Constraints: bounds on metrics that a model must satisfy."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from mixfront.exceptions import SpecError
from mixfront.spec.metrics import OPTIMIZABLE, get_metric

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
        """Whether it can be checked before training."""
        return OPTIMIZABLE[self.metric].before_training

    def violation(self, value: float) -> float:
        """How much the value violates the constraint; 0 or less if it is satisfied.

        Costs are compared in log10, so that a model 10 times over its limit counts the same to
        the sampler, whether it has too many parameters or too many FLOPs.
        """
        over = value - self.limit
        if OPTIMIZABLE[self.metric].log10 and value > 0 and self.limit > 0:
            over = math.log10(value / self.limit)
        return over if self.op == "<=" else -over


def parse_constraint(metric: str, text: Any) -> Constraint:
    """Parse the constraint on a metric from text such as "<= 20e6".

    Raises:
        SpecError: If the text is not a constraint.
        UnknownNameError: If no trial reports the metric.
    """
    get_metric(metric)
    match = _CONSTRAINT.match(text) if isinstance(text, str) else None
    limit = _number(match.group(2)) if match else None
    if match is None or limit is None:
        raise SpecError(
            f"the constraint on {metric!r} is {text!r}; write '<= NUMBER' or '>= NUMBER', "
            f"such as '<= 20e6'"
        )
    return Constraint.model_validate({"metric": metric, "op": match.group(1), "limit": limit})


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _parse_all(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    constraints = {str(metric): limit for metric, limit in data.items()}  # YAML has other keys too
    return {
        metric: limit if isinstance(limit, Constraint) else parse_constraint(metric, limit)
        for metric, limit in constraints.items()
    }


Constraints = Annotated[
    dict[str, Constraint],
    BeforeValidator(_parse_all),
    PlainSerializer(lambda constraints: {m: str(c) for m, c in constraints.items()}),
]
