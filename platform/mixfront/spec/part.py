"""The base class of every section of a spec."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A section of a spec: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")
