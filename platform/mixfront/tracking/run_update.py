"""What a run in MLflow is to be told: the unit of the spool and of delivery."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from mixfront.records.store import TrialState


class RunStatus(StrEnum):
    """MLflow's words for how a run stands."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"  # ended before its end, on purpose


STATUS_OF_TRIAL = {
    TrialState.RUNNING: RunStatus.RUNNING,
    TrialState.INTERRUPTED: RunStatus.KILLED,
    TrialState.COMPLETE: RunStatus.FINISHED,
    TrialState.PRUNED: RunStatus.KILLED,
    TrialState.FAILED: RunStatus.FAILED,
    TrialState.INFEASIBLE: RunStatus.KILLED,
}

STATUS_OF_SEARCH = {
    "running": RunStatus.RUNNING,
    "interrupted": RunStatus.KILLED,
    "finished": RunStatus.FINISHED,
    "failed": RunStatus.FAILED,
}


class Dataset(BaseModel):
    """What a run was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    digest: str
    source: str  # URL, without credentials


class RunUpdate(BaseModel):
    """One thing to tell one run. Telling it twice changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    seq: int  # place in the search's history; grows by one
    time_ms: int  # unix milliseconds; part of a metric's identity in MLflow
    trial_id: str | None = None  # None = the search's own run
    name: str | None = None  # of the run, should it have to be made
    params: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    step: int = 0  # of the metrics
    tags: dict[str, str] = Field(default_factory=dict)
    texts: dict[str, str] = Field(default_factory=dict)  # artifact path -> content
    folders: dict[str, str] = Field(default_factory=dict)  # artifact path -> folder of the search
    dataset: Dataset | None = None
    status: RunStatus | None = None

    def to_line(self) -> str:
        """As one line of JSON, without its end."""
        return self.model_dump_json(exclude_defaults=True)
