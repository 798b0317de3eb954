"""The `stopping:` section of a spec: which trials stop early."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mixfront.spec.part import Part


class NoStopping(Part):
    """Every trial runs to full fidelity."""

    kind: Literal["none"] = "none"


class FixedRungs(Part):
    """At each rung, only the best share of the trials that reached it continues."""

    kind: Literal["fixed_rungs"] = "fixed_rungs"
    rungs: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field((0.25, 0.5), min_length=1)
    keep: float = Field(0.5, gt=0, lt=1)
    min_trials: int = Field(4, ge=2)  # trials that must reach a rung before one is stopped there

    @model_validator(mode="after")
    def _ascending(self) -> "FixedRungs":
        if list(self.rungs) != sorted(set(self.rungs)):
            raise ValueError(f"rungs {list(self.rungs)} must be strictly increasing")
        return self


Stopping = Annotated[NoStopping | FixedRungs, Field(discriminator="kind")]
