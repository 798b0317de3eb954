"""The result of evaluating a trial; plain JSON, readable without torch."""

from pydantic import BaseModel, ConfigDict


class Evaluation(BaseModel):
    """Metrics and checkpoint of a trial at one of its evaluation points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int  # optimizer steps so far
    fidelity: float  # share of all steps of all passes
    metrics: dict[str, float]  # all finite
    checkpoint: str  # URL
    model_url: str | None = None  # of the exported model, at full fidelity
    seconds: dict[str, float]  # phase -> wall time: train, evaluate, checkpoint
