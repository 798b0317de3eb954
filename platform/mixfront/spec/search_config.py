"""The `search:` section of a spec: budgets, sampler and first configurations."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from mixfront.lanes.duration import parse_duration
from mixfront.spec.part import Part

DEFAULT_TRIALS = 20
BUDGETS = ("trials", "time", "accelerator_hours")


class SearchConfig(Part):
    """Budgets, sampler and first configurations of a search.

    The search ends when the first budget is spent; without a budget it runs 20 trials.
    """

    trials: int | None = Field(None, ge=1)  # infeasible configurations do not count
    time: Annotated[float | None, BeforeValidator(parse_duration)] = Field(None, gt=0)  # seconds
    accelerator_hours: float | None = Field(None, gt=0)  # workers x wall time, also on CPUs
    sampler: Literal["tpe", "mixfront", "random"] = "tpe"
    seed: int = Field(0, ge=0)
    startup_trials: int = Field(10, ge=1)  # before the sampler has a model
    enqueue: tuple[dict[str, Any], ...] = ()  # flat configurations to run first
    max_infeasible_in_a_row: int = Field(200, ge=1)
    max_failed_in_a_row: int = Field(10, ge=1)  # that many suggest a broken setup

    @model_validator(mode="before")
    @classmethod
    def _default_budget(cls, data: Any) -> Any:
        if isinstance(data, dict) and not set(BUDGETS) & data.keys():
            return data | {"trials": DEFAULT_TRIALS}
        return data
