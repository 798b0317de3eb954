"""Objectives: the metrics that a search optimises, and in which direction."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from mixfront.spec.metrics import Direction, describe_metric, get_metric


class Objective(BaseModel):
    """One objective of a search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str
    direction: Direction

    @property
    def before_training(self) -> bool:
        """Whether the configuration alone determines the value."""
        return describe_metric(self.metric).before_training

    def scaled(self, value: float) -> float:
        """The value on the scale of hypervolume and reference points: log10 for costs."""
        return describe_metric(self.metric).scaled(value)

    def minimised(self, scaled: float) -> float:
        """A scaled value, negated if larger is better."""
        return scaled if self.direction == "min" else -scaled


def parse_objective(data: Any) -> Any:
    """Complete an objective from a spec: a name, or a mapping with an optional direction.

    Raises:
        UnknownNameError: If there is no such metric, or it is only reported.
        SpecError: If the metric is measured on the test split.
    """
    if isinstance(data, str):
        data = {"metric": data}
    if not isinstance(data, dict) or not isinstance(data.get("metric"), str):
        return data  # pydantic reports the wrong type
    return {"direction": get_metric(data["metric"]).direction} | data


ObjectiveSpec = Annotated[Objective, BeforeValidator(parse_objective)]
