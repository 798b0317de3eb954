"""Files and safetensors with digests, in a folder at any fsspec URL; never a pickle."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fsspec
import safetensors
import safetensors.torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from mixfront.exceptions import DamagedError, TrialError
from mixfront.training.work_counter import WORK

_PIECE = 16 * 2**20  # bytes that one request transfers: S3 allows 10,000 per upload, 168 GB


class ShardFile(BaseModel):
    """Digest and size of a file, as written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    num_bytes: int


class ArtifactFolder:
    """One folder, on a local file system or in an object store.

    Args:
        url: Path or fsspec URL; created when the first file is written.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs: Any
        self._fs, self._root = fsspec.core.url_to_fs(self.url)

    def write(self, name: str, data: bytes) -> ShardFile:
        """Write or replace a file, in pieces that `WORK` counts."""
        path = f"{self._root}/{name}"
        self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        with self._fs.open(path, "wb", block_size=_PIECE) as file:
            for start in range(0, len(data), _PIECE):
                file.write(memoryview(data)[start : start + _PIECE])
                WORK.add()
        return ShardFile(sha256=hashlib.sha256(data).hexdigest(), num_bytes=len(data))

    def write_tensors(self, name: str, tensors: Mapping[str, Tensor]) -> ShardFile:
        """Write or replace a safetensors file."""
        plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        return self.write(name, safetensors.torch.save(plain))

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            DamagedError: If it does not exist.
            TrialError: If it cannot be read.
        """
        with self._reading(name):
            data: bytes = self._fs.cat_file(f"{self._root}/{name}")
        return data

    def verify(self, name: str, expected: ShardFile) -> None:
        """Compare a file with its digest, in pieces that `WORK` counts.

        Raises:
            DamagedError: If it is missing or differs.
            TrialError: If it cannot be read.
        """
        digest, num_bytes = hashlib.sha256(), 0
        with self._reading(name), self._fs.open(f"{self._root}/{name}", "rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
                num_bytes += len(piece)
                WORK.add()
        if digest.hexdigest() != expected.sha256:
            raise self._changed(name, num_bytes, expected)

    def read_tensors(self, name: str, expected: ShardFile | None = None) -> dict[str, Tensor]:
        """Tensors of a safetensors file.

        Raises:
            DamagedError: If the file is missing, damaged, or differs from `expected`.
            TrialError: If it cannot be read.
        """
        data = self.read(name)
        if expected and hashlib.sha256(data).hexdigest() != expected.sha256:
            raise self._changed(name, len(data), expected)
        try:
            return safetensors.torch.load(data)
        except safetensors.SafetensorError as error:
            raise DamagedError(f"{self.url}/{name} is damaged: {error}") from None

    def exists(self, name: str) -> bool:
        """Whether a file of this name exists."""
        return bool(self._fs.exists(f"{self._root}/{name}"))

    def names(self) -> list[str]:
        """Names of the files and folders directly inside; empty if the folder does not exist."""
        self._fs.invalidate_cache()
        if not self._fs.exists(self._root):
            return []
        return sorted(
            path.rstrip("/").rsplit("/", 1)[-1] for path in self._fs.ls(self._root, detail=False)
        )

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with its contents, if it exists."""
        path = f"{self._root}/{name}"
        if self._fs.exists(path):
            self._fs.rm(path, recursive=True)

    def name_in(self, parent: "ArtifactFolder") -> str | None:
        """Path of this folder relative to one that contains it, else None."""
        prefix = f"{parent._root}/"
        is_inside = type(self._fs) is type(parent._fs) and self._root.startswith(prefix)
        return self._root.removeprefix(prefix) if is_inside else None

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            is_missing = isinstance(error, FileNotFoundError)
            raise (DamagedError if is_missing else TrialError)(
                f"cannot read {self.url}/{name}: {error}; was it moved or removed?"
            ) from None

    def _changed(self, name: str, num_bytes: int, expected: ShardFile) -> DamagedError:
        return DamagedError(
            f"{self.url}/{name} has changed since it was written: its digest differs "
            f"({num_bytes} bytes, expected {expected.num_bytes}); use an older checkpoint"
        )
