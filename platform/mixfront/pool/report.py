"""A trial's report, which passes through Ray Tune."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

_KEY = "report"  # in a Tune result


class TrialStatus(StrEnum):
    """State of a trial at the time of a report."""

    RUNNING = "running"  # an evaluation, with more to come
    COMPLETE = "complete"  # the evaluation at full fidelity
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # stopped from outside, after a checkpoint


class TrialReport(BaseModel):
    """One step of a trial, as the searcher and the scheduler read it.

    It passes through Tune as one JSON string, because Tune flattens nested results and overwrites
    our `trial_id` with its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    trial_id: str
    status: TrialStatus
    number: int = 0  # sequence number; Tune delivers a trial's last report twice
    step: int = 0  # optimizer steps so far
    fidelity: float = 0.0  # share of all steps of all passes
    metrics: dict[str, float] = Field(default_factory=dict)  # of the last evaluation
    checkpoint: str | None = None  # URL of the latest one
    model_url: str | None = None  # of the exported model
    error: str | None = None
    attempts: int = 0  # worker groups that died during the trial
    accelerator_seconds: float = 0.0  # workers x wall time on a worker group
    seconds: dict[str, float] = Field(default_factory=dict)  # phase -> wall time of this step

    @property
    def is_last(self) -> bool:
        """Whether this is the trial's last report."""
        return self.status is not TrialStatus.RUNNING

    @property
    def is_evaluation(self) -> bool:
        """Whether it has the metrics of a new evaluation."""
        is_new = self.status in (TrialStatus.RUNNING, TrialStatus.COMPLETE)
        return is_new and bool(self.metrics)

    def to_tune(self) -> dict[str, Any]:
        """The report as the result of a Trainable's `step`."""
        return {_KEY: self.model_dump_json(), "done": self.is_last}

    @classmethod
    def from_tune(cls, result: Mapping[str, Any] | None) -> Self | None:
        """The report in a Tune result; None if the trial never took a step."""
        text = (result or {}).get(_KEY)
        return None if text is None else cls.model_validate_json(text)
