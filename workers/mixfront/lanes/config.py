"""What one trial runs on: the `trial:` section of a search spec."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mixfront.lanes.duration import parse_duration


class LaneLimits(BaseModel):
    """How many lanes a search uses: as many as fit, within these limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: int = Field(1, ge=1)  # the search starts once this many are ready
    max: int | None = Field(None, ge=1)  # None: as many as the cluster's nodes have room for

    @model_validator(mode="after")
    def _min_below_max(self) -> "LaneLimits":
        if self.max is not None and self.max < self.min:
            raise ValueError(
                f"lanes.max is {self.max}, but lanes.min is {self.min}; set max to at least min"
            )
        return self


def _lane_limits(data: Any) -> Any:
    """A plain number is the maximum."""
    is_number = isinstance(data, int) and not isinstance(data, bool)
    return {"max": data} if is_number else data


class TrialConfig(BaseModel):
    """Resources and isolation of a trial."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workers: int = Field(1, ge=1)
    cpus_per_worker: float = Field(1, gt=0)
    gpus_per_worker: float = Field(0, ge=0)
    zero_stage: int = Field(2, ge=0, le=3)
    lanes: Annotated[
        LaneLimits, BeforeValidator(_lane_limits, json_schema_input_type=int | LaneLimits)
    ] = LaneLimits()
    start_timeout: Annotated[float | None, BeforeValidator(parse_duration)] = Field(
        None, gt=0
    )  # seconds that a lane waits for its resources; None: no limit
    max_failures: int = Field(2, ge=0)  # worker groups that may die under one trial
    isolation: Literal["lane", "process"] = "lane"
    collective_timeout_s: float = Field(120, gt=0)  # of the data group; also the hang timeout
    recycle_after: int = Field(200, ge=1)  # trials after which a lane restarts its processes

    @model_validator(mode="after")
    def _one_gpu_per_rank(self) -> "TrialConfig":
        if self.workers > 1 and 0 < self.gpus_per_worker < 1:
            raise ValueError(
                f"gpus_per_worker is {self.gpus_per_worker:g} with {self.workers} workers, but "
                "NCCL refuses two workers of a trial on one GPU; set gpus_per_worker to 1, or "
                "workers to 1"
            )
        return self


class LaneSettings(BaseModel):
    """Timeouts and memory margins of a lane. `for_trial` derives them from a trial's config."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hung_after_s: float = Field(120, gt=0)  # no rank progresses, or one rank sends no heartbeat
    noop_interval_s: float = Field(10, gt=0)  # rank 0 broadcasts at least this often
    heartbeat_interval_s: float = Field(1, gt=0)  # of every rank
    check_interval_s: float = Field(1, gt=0)  # between checks of the abort flag while training
    agree_after_error_s: float = Field(5, gt=0)  # how long a failed rank waits for the others
    control_timeout_s: float = Field(1800, gt=0)  # control group; the watchdog is much faster
    resource_timeout_s: float | None = Field(None, gt=0)  # for resources; None: no limit
    start_timeout_s: float = Field(900, gt=0)  # then, for processes and imports
    restart_s: float = Field(60, gt=0)  # a trial waits this long for a new worker group
    settle_s: float = Field(30, gt=0)  # grace for an aborted command to end, before it is killed
    lease_s: float = Field(60, gt=0)  # a proxy that is silent for this long loses its lane
    memory_margin_mb: float = Field(512, gt=0)  # host memory above what the first trial left
    gpu_margin_mb: float = Field(64, gt=0)  # device memory above what the first trial left
    max_consecutive_deaths: int = Field(6, ge=1)  # of worker groups, with no command completed

    @classmethod
    def for_trial(cls, trial: TrialConfig) -> "LaneSettings":
        """Settings derived from a trial's timeout and retries."""
        timeout = trial.collective_timeout_s
        return cls(
            hung_after_s=timeout,
            noop_interval_s=min(10.0, timeout / 4),
            heartbeat_interval_s=min(1.0, timeout / 8),
            resource_timeout_s=trial.start_timeout,
            max_consecutive_deaths=max(3, 2 * (trial.max_failures + 1)),
        )
