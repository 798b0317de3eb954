"""Checkpoints of a trial: every rank writes its shard, then rank 0 writes the manifest.

step-<n>/weights.safetensors        full dense weights and buffers, written by rank 0
step-<n>/optimizer-<r>.safetensors  optimizer state and random state of rank r
step-<n>/tables-<r>.safetensors     shard r of the table rows and their optimizer state
step-<n>/rank-<r>.json              digests of rank r's files
step-<n>/manifest.json              written last: without it the checkpoint is incomplete
"""

from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from mixfront.exceptions import TrialError
from mixfront.training.artifact_folder import ArtifactFolder, ShardFile
from mixfront.training.deepspeed.engine import DenseEngine
from mixfront.training.ranks import Ranks
from mixfront.training.tables.embedding import EmbeddingTables
from mixfront.training.tables.sparse_optimizer import SparseOptimizer

FORMAT = 1
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


class _RankFiles(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, ShardFile]


class Checkpoints:
    """Writes, reads and prunes the checkpoints of one trial.

    Args:
        url: Folder of the trial.
        keep: Number of checkpoints to keep.
        ranks: The ranks that write and read; all methods are collectives.
        identity: Identity of this trial.
    """

    def __init__(self, url: str, *, keep: int, ranks: Ranks, identity: Identity) -> None:
        self._folder = ArtifactFolder(url)
        self._keep = keep
        self._ranks = ranks
        self._identity = identity

    def save(
        self,
        engine: DenseEngine,
        tables: EmbeddingTables,
        optimizer: SparseOptimizer,
        *,
        progress: TrainingProgress,
        steps_per_pass: int,
        tau: float | None,
    ) -> str:
        """Write a checkpoint; returns its URL once it is complete."""
        name = f"step-{progress.step}"
        folder = ArtifactFolder(f"{self._folder.url}/{name}")
        if self._ranks.is_first:
            folder.remove(MANIFEST)  # from an earlier attempt at the same step
        self._ranks.barrier()  # before `weights`, which is a collective with a short timeout
        weights = engine.weights()
        self._write_shard(folder, weights, engine, tables, optimizer)
        self._ranks.barrier()
        if self._ranks.is_first:
            manifest = Manifest(
                format=FORMAT,
                identity=self._identity,
                progress=progress,
                pass_index=progress.step // steps_per_pass,
                step_in_pass=progress.step % steps_per_pass,
                tau=tau,
                sparse_steps=optimizer.step_count,
                files=self._all_files(folder),
            )
            folder.write(MANIFEST, manifest.model_dump_json(indent=1).encode())
        self._ranks.barrier()
        return folder.url

    def load(
        self,
        url: str,
        engine: DenseEngine,
        tables: EmbeddingTables,
        optimizer: SparseOptimizer,
    ) -> TrainingProgress:
        """Restore the state that was saved at `url`.

        Raises:
            TrialError: If it is not a checkpoint, is damaged, or belongs to another trial.
        """
        folder = ArtifactFolder(url)
        manifest = read_manifest(url)
        self._check(url, manifest.identity)
        engine.load_weights(
            folder.read_tensors("weights.safetensors", manifest.files["weights.safetensors"])
        )
        # Without ZeRO all ranks have the same optimizer state, so only rank 0 writes it.
        writer = self._ranks.rank if self._identity.zero_stage else 0
        state = _read(folder, manifest, f"optimizer-{writer}.safetensors")
        engine.load_optimizer_state(_strip(state, "optimizer."))
        self._load_tables(folder, manifest, tables, optimizer)
        own = _read(folder, manifest, f"optimizer-{self._ranks.rank}.safetensors")
        _set_random_state(_strip(own, "random."), self._ranks.device)
        return manifest.progress

    def prune(self, step: int) -> None:
        """Keep the last few checkpoints up to this step; later ones belong to a lost attempt.

        Not part of `save`: a driver that dies before it records the newest checkpoint resumes
        from the one before.
        """
        if self._ranks.is_first:
            self._prune(step)
        self._ranks.barrier()

    def _prune(self, step: int) -> None:
        steps = {
            int(name.removeprefix("step-"))
            for name in self._folder.names()
            if name.removeprefix("step-").isdigit()
        }
        complete = [s for s in sorted(steps) if s <= step and self._is_complete(s)]
        for removed in steps - set(complete[-self._keep :]):
            self._folder.remove(f"step-{removed}")

    def _write_shard(
        self,
        folder: ArtifactFolder,
        weights: dict[str, Tensor],
        engine: DenseEngine,
        tables: EmbeddingTables,
        optimizer: SparseOptimizer,
    ) -> None:
        rank = self._ranks.rank
        files = {}
        is_duplicate = self._identity.zero_stage == 0 and rank > 0
        dense = {} if is_duplicate else engine.optimizer_state()
        state = {f"optimizer.{key}": value for key, value in dense.items()}
        state |= {
            f"random.{key}": value for key, value in _random_state(self._ranks.device).items()
        }
        rows = _row_range(len(tables.weight), rank, self._ranks.world_size)
        shard = {"weight": tables.weight[rows]}
        shard |= {f"state.{key}": value[rows] for key, value in optimizer.state.items()}
        for kind, tensors in (("optimizer", state), ("tables", shard)):
            name = f"{kind}-{rank}.safetensors"
            files[name] = folder.write_tensors(name, tensors)
        if self._ranks.is_first:
            files["weights.safetensors"] = folder.write_tensors("weights.safetensors", weights)
        folder.write(f"rank-{rank}.json", _RankFiles(files=files).model_dump_json().encode())

    def _all_files(self, folder: ArtifactFolder) -> dict[str, ShardFile]:
        files: dict[str, ShardFile] = {}
        for rank in range(self._ranks.world_size):
            text = folder.read(f"rank-{rank}.json")
            files |= _RankFiles.model_validate_json(text).files
        return files

    def _load_tables(
        self,
        folder: ArtifactFolder,
        manifest: Manifest,
        tables: EmbeddingTables,
        optimizer: SparseOptimizer,
    ) -> None:
        size = self._ranks.world_size
        for rank in range(size):
            shard = _read(folder, manifest, f"tables-{rank}.safetensors")
            rows = _row_range(len(tables.weight), rank, size)
            tables.weight[rows] = shard["weight"].to(tables.weight.device)
            for key, value in optimizer.state.items():
                value[rows] = shard[f"state.{key}"].to(value.device)
        optimizer.step_count = manifest.sparse_steps

    def _check(self, url: str, identity: Identity) -> None:
        for key, expected in self._identity.model_dump().items():
            value = identity.model_dump()[key]
            if value != expected:
                raise TrialError(
                    f"{url} has {key} {value!r}, this trial has {expected!r}; resume a trial only "
                    f"from its own checkpoints"
                )

    def _is_complete(self, step: int) -> bool:
        return self._folder.exists(f"step-{step}/{MANIFEST}")


def read_manifest(url: str) -> Manifest:
    """The manifest of a checkpoint.

    Raises:
        TrialError: If it does not exist, so the checkpoint is incomplete, or cannot be read.
    """
    folder = ArtifactFolder(url)
    if not folder.exists(MANIFEST):
        raise TrialError(
            f"{url} is not a complete checkpoint: it has no {MANIFEST}; use an older one"
        )
    try:
        return Manifest.model_validate_json(folder.read(MANIFEST))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise TrialError(
            f"{url}/{MANIFEST} is invalid: {key}: {first['msg']}; use an older checkpoint"
        ) from None


def _read(folder: ArtifactFolder, manifest: Manifest, name: str) -> dict[str, Tensor]:
    if name not in manifest.files:
        raise TrialError(
            f"{folder.url} is incomplete: its manifest lacks {name}; use an older checkpoint"
        )
    return folder.read_tensors(name, manifest.files[name])


def _strip(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _row_range(num_rows: int, rank: int, world_size: int) -> slice:
    return slice(num_rows * rank // world_size, num_rows * (rank + 1) // world_size)


def _random_state(device: str) -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if device.startswith("cuda"):
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _set_random_state(state: dict[str, Tensor], device: str) -> None:
    torch.set_rng_state(state["cpu"])
    if device.startswith("cuda") and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
