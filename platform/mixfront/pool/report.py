"""What a lane reports of a trial, through Tune and back."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

_KEY = "report"  # of a Tune result


class TrialStatus(StrEnum):
    """Where a trial stands when it reports."""

    RUNNING = "running"  # an evaluation, and more to come
    COMPLETE = "complete"  # the evaluation at full fidelity
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # stopped from outside, after a checkpoint


class TrialReport(BaseModel):
    """One step of a trial, as the searcher and the scheduler read it.

    It travels through Tune as one JSON string: Tune flattens nested results, and puts a
    `trial_id` of its own over ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    trial_id: str
    status: TrialStatus
    number: int = 0  # of this report; Tune shows the last one twice when a trial ends
    step: int = 0  # optimizer steps so far
    fidelity: float = 0.0  # share of all steps of all passes
    metrics: dict[str, float] = Field(default_factory=dict)  # of the last evaluation
    checkpoint: str | None = None  # URL of the last one
    model_url: str | None = None  # of the exported model
    error: str | None = None
    attempts: int = 0  # worker groups that died under the trial
    accelerator_seconds: float = 0.0  # workers x wall time, since the lane was leased
    seconds: dict[str, float] = Field(default_factory=dict)  # phase -> wall time of this step

    @property
    def is_last(self) -> bool:
        """Whether the trial reports no more."""
        return self.status is not TrialStatus.RUNNING

    @property
    def is_evaluation(self) -> bool:
        """Whether it carries metrics that no earlier report carried."""
        is_new = self.status in (TrialStatus.RUNNING, TrialStatus.COMPLETE)
        return is_new and bool(self.metrics)

    def to_tune(self) -> dict[str, Any]:
        """As the result of a Trainable's `step`."""
        return {_KEY: self.model_dump_json(), "done": self.is_last}

    @classmethod
    def from_tune(cls, result: Mapping[str, Any] | None) -> Self | None:
        """From what Tune hands to searcher and scheduler; None if no step was ever taken."""
        text = (result or {}).get(_KEY)
        return None if text is None else cls.model_validate_json(text)
