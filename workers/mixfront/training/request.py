"""What a worker needs to train one trial: plain JSON, so that it can be kept and sent."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mixfront.training.config import TrainingConfig

TEST_PREFIX = "test_"  # of metrics on the test split


class DataRequest(BaseModel):
    """Where a trial's rows are, and how they were encoded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str  # URL of the Parquet data set
    train: str | None  # filter; None = all rows
    validation: str
    test: str | None = None  # evaluated once, at full fidelity; never decides anything
    encoder: str  # URL of the fitted encoder's folder


class TrialRequest(BaseModel):
    """One trial, as the driver hands it to a lane."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    search_id: str
    trial_id: str
    family: str
    model: dict[str, Any]  # keys of the family's config
    data: DataRequest
    training: TrainingConfig
    zero_stage: int = Field(2, ge=0, le=3)
    latency_seconds: float = Field(0.2, ge=0)  # to measure the exported model's latency in
    folder: str  # URL; checkpoints and the exported model go below it
    resume_from: str | None = None  # URL of a checkpoint
