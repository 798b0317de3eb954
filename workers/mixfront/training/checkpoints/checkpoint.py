"""Checkpoints of a trial: every rank writes its shard, then rank 0 writes the manifest.

step-<n>/weights.safetensors        full dense weights and buffers, written by rank 0
step-<n>/optimizer-<r>.safetensors  optimizer state and random state of rank r
step-<n>/tables-<r>.safetensors     shard r of the table rows and their optimizer state
step-<n>/rank-<r>.json              digests of rank r's files
step-<n>/manifest.json              written last: without it the checkpoint is incomplete
"""

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from mixfront.exceptions import DamagedError, TrialError
from mixfront.training.artifact_folder import ArtifactFolder, ShardFile
from mixfront.training.checkpoints.manifest import (
    FORMAT,
    MANIFEST,
    Identity,
    Manifest,
    TrainingProgress,
    read_manifest,
)
from mixfront.training.deepspeed.engine import DenseEngine
from mixfront.training.ranks import Ranks
from mixfront.training.tables.embedding import EmbeddingTables
from mixfront.training.tables.sparse_optimizer import SparseOptimizer


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
        folder = ArtifactFolder(self.url_of(progress.step))
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
            folder.write(MANIFEST, manifest.with_digest().model_dump_json(indent=1).encode())
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
            DamagedError: If it is incomplete or damaged; see `verify`, which loads nothing.
            TrialError: If it belongs to another trial, or cannot be read.
        """
        folder = ArtifactFolder(url)
        manifest = read_manifest(url)
        self._check(url, manifest.identity)
        engine.load_weights(_read(folder, manifest, "weights.safetensors"))
        # Without ZeRO all ranks have the same optimizer state, so only rank 0 writes it.
        writer = self._ranks.rank if self._identity.zero_stage else 0
        state = _read(folder, manifest, f"optimizer-{writer}.safetensors")
        engine.load_optimizer_state(_strip(state, "optimizer."))
        self._load_tables(folder, manifest, tables, optimizer)
        own = _read(folder, manifest, f"optimizer-{self._ranks.rank}.safetensors")
        _set_random_state(_strip(own, "random."), self._ranks.device)
        return manifest.progress

    def verify(self, url: str) -> None:
        """Compare this rank's share of a checkpoint's files with their digests; not a collective.

        Raises:
            DamagedError: If the manifest or a file is missing or damaged.
            TrialError: If it belongs to another trial, or cannot be read.
        """
        manifest = read_manifest(url)
        self._check(url, manifest.identity)
        folder = ArtifactFolder(url)
        for name in sorted(manifest.files)[self._ranks.rank :: self._ranks.world_size]:
            folder.verify(name, manifest.files[name])

    def complete_before(self, step: int) -> list[int]:
        """Steps of the complete checkpoints before a step, ascending; not a collective."""
        return [s for s in self._steps() if s < step and self._is_complete(s)]

    def step_of(self, url: str) -> int | None:
        """The step of a checkpoint in this trial's folder, also if it is damaged, else None."""
        name = ArtifactFolder(url).name_in(self._folder) or ""
        return _step(name)

    def url_of(self, step: int) -> str:
        """URL of the checkpoint of a step."""
        return f"{self._folder.url}/step-{step}"

    def prune(self, step: int) -> None:
        """Keep the last few checkpoints up to this step; later ones belong to a lost attempt.

        Not part of `save`: a driver that dies before it records the newest checkpoint resumes
        from the one before.
        """
        if self._ranks.is_first:
            self._prune(step)
        self._ranks.barrier()

    def _prune(self, step: int) -> None:
        kept = self.complete_before(step + 1)[-self._keep :]
        for removed in set(self._steps()) - set(kept):
            self._folder.remove(f"step-{removed}")

    def _steps(self) -> list[int]:
        steps = (_step(name) for name in self._folder.names())
        return sorted(step for step in steps if step is not None)

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


def _step(name: str) -> int | None:
    digits = name.removeprefix("step-")
    return int(digits) if digits != name and digits.isdecimal() else None


def _read(folder: ArtifactFolder, manifest: Manifest, name: str) -> dict[str, Tensor]:
    if name not in manifest.files:
        raise DamagedError(
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
