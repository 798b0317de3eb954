"""The manifest of a checkpoint: what the checkpoint is of, and the digests of its files."""

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mixfront.exceptions import DamagedError
from mixfront.training.artifact_folder import ArtifactFolder, ShardFile

FORMAT = 2  # 1 had no digest of the manifest itself
MANIFEST = "manifest.json"


class TrainingProgress(BaseModel):
    """Training state besides tensors."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int = 0
    evaluated_step: int = 0  # step of the last evaluation
    loss_sum: float = 0.0  # over the steps since then, for the mean that is reported
    loss_steps: int = 0

    def after_step(self, loss: float) -> "TrainingProgress":
        """Progress after one more step."""
        return TrainingProgress(
            step=self.step + 1,
            evaluated_step=self.evaluated_step,
            loss_sum=self.loss_sum + loss,
            loss_steps=self.loss_steps + 1,
        )


class Identity(BaseModel):
    """What a checkpoint and the trial that resumes from it must have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    model: dict[str, Any]
    training: dict[str, Any]
    zero_stage: int
    world_size: int
    total_steps: int
    encoder: str  # digest


class Manifest(BaseModel):
    """Content of manifest.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    identity: Identity
    progress: TrainingProgress
    pass_index: int  # position in the data, derived from the step
    step_in_pass: int
    tau: float | None
    sparse_steps: int
    files: dict[str, ShardFile]
    sha256: str | None = None  # of the other keys; None in format 1

    def with_digest(self) -> "Manifest":
        """The manifest with its own digest, since a flipped digit is still valid JSON."""
        return self.model_copy(update={"sha256": self._digest()})

    @property
    def is_intact(self) -> bool:
        """Whether it is as it was written; format 1 cannot tell."""
        return self.sha256 == self._digest() if self.format > 1 else self.sha256 is None

    def _digest(self) -> str:
        return hashlib.sha256(self.model_dump_json(exclude={"sha256"}).encode()).hexdigest()


def read_manifest(url: str) -> Manifest:
    """The manifest of a checkpoint.

    Raises:
        DamagedError: If it does not exist, so the checkpoint is incomplete, or is damaged.
        TrialError: If it cannot be read.
    """
    folder = ArtifactFolder(url)
    if not folder.exists(MANIFEST):
        raise DamagedError(
            f"{url} is not a complete checkpoint: it has no {MANIFEST}; use an older one"
        )
    try:
        manifest = Manifest.model_validate_json(folder.read(MANIFEST))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DamagedError(
            f"{url}/{MANIFEST} is invalid: {key}: {first['msg']}; use an older checkpoint"
        ) from None
    if not manifest.is_intact:
        raise DamagedError(
            f"{url}/{MANIFEST} has changed since it was written: its digest differs; use an older "
            "checkpoint"
        )
    return manifest
