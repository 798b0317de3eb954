"""The request to train one trial: plain JSON, so that it can be stored and sent."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mixfront.training.config import TrainingConfig

TEST_PREFIX = "test_"  # of the names of test metrics


class DataRequest(BaseModel):
    """Location of a trial's rows and of their encoder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str  # URL of the Parquet data set
    train: str | None  # filter; None = all rows
    validation: str
    test: str | None = None  # evaluated once, at full fidelity; never used for a decision
    encoder: str  # URL of the folder of the fitted encoder
    digest: str | None = None  # of the data set when the search started; None = do not compare


class TrialRequest(BaseModel):
    """One trial, as the driver sends it to a lane."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    search_id: str
    trial_id: str
    family: str
    model: dict[str, Any]  # config of the family
    data: DataRequest
    training: TrainingConfig
    zero_stage: int = Field(2, ge=0, le=3)
    latency_seconds: float = Field(
        0.2, ge=0
    )  # time budget for measuring the exported model's latency
    folder: str  # URL; contains checkpoints and the exported model
    resume_from: str | None = None  # URL of a checkpoint
