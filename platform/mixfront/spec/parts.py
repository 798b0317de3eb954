"""The parts of a search spec that belong to the search itself."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from mixfront.exceptions import SpecError
from mixfront.records.store import Objective
from mixfront.spec.objectives import Constraint, parse_constraint, parse_objective

DEFAULT_TRIALS = 20
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


class Part(BaseModel):
    """Base of all parts: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def parse_duration(data: Any) -> Any:
    """ "2h", "90m", "1h30m", "45s" or a bare number of seconds, as seconds.

    Raises:
        SpecError: If the text is no duration.
    """
    if not isinstance(data, str):
        return data
    found = _DURATION.findall(data)
    if not found or _DURATION.sub("", data).strip():
        raise SpecError(f"{data!r} is no duration; write for example '2h', '90m' or '1h30m'")
    return sum(float(number) * _SECONDS[unit] for number, unit in found)


class SearchConfig(Part):
    """How far to search, and how to propose configurations.

    Whichever budget is spent first ends the search; with none given it is 20 trials.
    """

    trials: int | None = Field(None, ge=1)  # infeasible configurations cost none
    time: Annotated[float | None, BeforeValidator(parse_duration)] = Field(None, gt=0)  # seconds
    accelerator_hours: float | None = Field(None, gt=0)  # workers x wall time, on CPU too
    sampler: Literal["tpe", "random"] = "tpe"
    seed: int = Field(0, ge=0)
    startup_trials: int = Field(10, ge=1)  # drawn at random before TPE models anything
    enqueue: tuple[dict[str, Any], ...] = ()  # flat configurations to run first
    max_infeasible_in_a_row: int = Field(200, ge=1)
    max_failed_in_a_row: int = Field(10, ge=1)  # then something is broken that is not a trial

    @model_validator(mode="before")
    @classmethod
    def _some_budget(cls, data: Any) -> Any:
        if isinstance(data, dict) and not {"trials", "time", "accelerator_hours"} & data.keys():
            return data | {"trials": DEFAULT_TRIALS}
        return data


class NoStopping(Part):
    """Every trial runs to full fidelity."""

    kind: Literal["none"] = "none"


class FixedRungs(Part):
    """At each rung only the better share of the trials that reached it goes on."""

    kind: Literal["fixed_rungs"] = "fixed_rungs"
    rungs: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field((0.25, 0.5), min_length=1)
    keep: float = Field(0.5, gt=0, lt=1)
    min_trials: int = Field(4, ge=2)  # that must have reached a rung before any is stopped there

    @model_validator(mode="after")
    def _ascending(self) -> "FixedRungs":
        if list(self.rungs) != sorted(set(self.rungs)):
            raise ValueError(f"rungs {list(self.rungs)} must rise")
        return self


Stopping = Annotated[NoStopping | FixedRungs, Field(discriminator="kind")]


class TrackingSpec(Part):
    """Where MLflow is."""

    uri: str = "sqlite:///mixfront.db"
    experiment: str = Field("mixfront", min_length=1)


def _parse_constraints(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    return {m: c if isinstance(c, Constraint) else parse_constraint(m, c) for m, c in data.items()}


ObjectiveSpec = Annotated[Objective, BeforeValidator(parse_objective)]
Constraints = Annotated[
    dict[str, Constraint],
    BeforeValidator(_parse_constraints),
    PlainSerializer(lambda found: {metric: str(c) for metric, c in found.items()}),
]
