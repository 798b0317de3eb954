"""What one trial runs on: the `trial:` part of a search spec."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TrialConfig(BaseModel):
    """Resources and isolation of a trial."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: int = Field(1, ge=1)
    cpus_per_worker: float = Field(1, gt=0)
    gpus_per_worker: float = Field(0, ge=0)
    zero_stage: int = Field(2, ge=0, le=3)
    max_failures: int = Field(2, ge=0)  # worker groups that may die under one trial
    isolation: Literal["lane", "process"] = "lane"
    collective_timeout_s: float = Field(120, gt=0)  # data group; no heartbeat for so long = hung
    recycle_after: int = Field(200, ge=1)  # trials after which a lane's processes are renewed
