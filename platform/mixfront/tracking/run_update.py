"""Updates of MLflow runs, as they are spooled and delivered."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from mixfront.records.store import TrialState


class RunStatus(StrEnum):
    """MLflow's run statuses."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"  # stopped early on purpose


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
    """The training data of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    digest: str
    source: str  # URL, without credentials


# Every segment has a letter or digit. MLflow answers "../x" as if its server had failed, so that
# delivery would be retried forever.
_SEGMENT = r"[\w\-. ]*\w[\w\-. ]*"
ArtifactPath = Annotated[str, Field(max_length=200, pattern=rf"^{_SEGMENT}(?:/{_SEGMENT})*$")]


class RunUpdate(BaseModel):
    """An update of one run. Applying it twice changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    seq: int  # position in the search's history; increases by one
    time_ms: int  # unix milliseconds; part of a metric's identity in MLflow
    trial_id: str | None = None  # None = the search's own run
    name: str | None = None  # of the run, if it must be created
    params: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    step: int = 0  # of the metrics
    tags: dict[str, str] = Field(default_factory=dict)
    texts: dict[ArtifactPath, str] = Field(default_factory=dict)  # path -> content
    folders: dict[ArtifactPath, str] = Field(default_factory=dict)  # path -> folder in the search
    dataset: Dataset | None = None
    status: RunStatus | None = None

    def to_line(self) -> str:
        """One line of JSON, without the newline."""
        return self.model_dump_json(exclude_defaults=True)
