"""Objectives: which metrics a search optimises, and which way."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from mixfront.spec.metrics import Direction, describe_metric, get_metric


class Objective(BaseModel):
    """One objective of a search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    direction: Direction

    def scaled(self, value: float) -> float:
        """The value on the scale of hypervolume and reference points: log10 for costs."""
        return describe_metric(self.metric).scaled(value)

    def minimised(self, scaled: float) -> float:
        """A scaled value with the sign that makes smaller better."""
        return scaled if self.direction == "min" else -scaled


def parse_objective(data: Any) -> Any:
    """An objective as a spec may write it: a name, or a mapping whose direction may be absent.

    Raises:
        UnknownNameError: If no trial reports the metric.
        SpecError: If it may not be an objective.
    """
    if isinstance(data, str):
        data = {"metric": data}
    if not isinstance(data, dict) or not isinstance(data.get("metric"), str):
        return data  # left to the type's own complaint
    return {"direction": get_metric(data["metric"]).direction} | data


ObjectiveSpec = Annotated[Objective, BeforeValidator(parse_objective)]
