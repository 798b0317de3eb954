"""The spool of a search: updates for MLflow, kept where the search is kept.

    spool/000001.jsonl      one segment for each driver that wrote here, on a local file system;
                            one for each `sync`, written whole, on an object store
    spool/delivered.json    how far MLflow has been told, and the ids of its runs

Nothing is ever appended to a segment that another process began, so that a line torn by SIGKILL
is the last of its segment, and is skipped.
"""

import logging
import threading
from collections.abc import Iterator
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mixfront.tracking.run_update import RunUpdate

logger = logging.getLogger(__name__)


class DeliveryMark(BaseModel):
    """How far MLflow has been told."""

    model_config = ConfigDict(frozen=True)

    through: int = 0  # seq of the last update that arrived
    page: int = 0  # seq of the front that the page last shown was made of
    runs: dict[str, str] = Field(default_factory=dict)  # trial id ("" = the search) -> run id


class Spool:
    """Append-only updates below one folder. Thread-safe.

    On a local file system an update is with the operating system when `append` returns: the death
    of the process cannot lose it. On an object store it waits in memory for the next `sync`,
    because a put takes longer than the caller may be held up.

    Args:
        url: The folder, a path or fsspec URL.
    """

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._is_local = isinstance(self._fs, LocalFileSystem)
        self._fs.makedirs(self._root, exist_ok=True)
        self._next_segment = 1 + max(map(_segment_number, self._segments()), default=0)
        self._file: IO[bytes] | None = None
        self._waiting: list[str] = []
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()

    def append(self, update: RunUpdate) -> None:
        """Keep an update.

        Raises:
            OSError: If the local file system refuses.
        """
        line = update.to_line()
        with self._lock:
            if self._is_local:
                self._write_line(line)
            else:
                self._waiting.append(line)

    def sync(self) -> None:
        """Put what waits in memory into storage, as one segment.

        Raises:
            OSError: If storage refuses; the updates go on waiting.
        """
        with self._sync_lock:
            with self._lock:
                lines = list(self._waiting)
            if not lines:
                return
            self._fs.pipe_file(self._new_segment(), ("\n".join(lines) + "\n").encode())
            with self._lock:
                del self._waiting[: len(lines)]

    def replay(self) -> list[RunUpdate]:
        """Every update in storage, in order, delivered or not."""
        paths = self._segments()
        contents = {path: self._fs.cat_file(path) for path in paths}
        updates = [update for path in paths for update in _parse(path, contents[path])]
        return sorted(updates, key=lambda update: update.seq)

    def delivered(self) -> DeliveryMark:
        """The last mark; an empty one if there is none, or none that can be read."""
        path = f"{self._root}/delivered.json"
        if not self._fs.exists(path):
            return DeliveryMark()
        try:
            return DeliveryMark.model_validate_json(self._fs.cat_file(path))
        except ValidationError:
            logger.warning("%s cannot be read; all updates are delivered again", path)
            return DeliveryMark()

    def mark(self, delivered: DeliveryMark) -> None:
        """Replace the mark, whole."""
        path, content = f"{self._root}/delivered.json", delivered.model_dump_json().encode()
        if self._is_local:
            self._fs.pipe_file(f"{path}.new", content)
            self._fs.mv(f"{path}.new", path)
        else:
            self._fs.pipe_file(path, content)

    def close(self) -> None:
        """Close the segment that is being written."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _write_line(self, line: str) -> None:
        if self._file is None:
            self._file = self._fs.open(self._new_segment(), "ab")
        self._file.write(line.encode() + b"\n")
        self._file.flush()

    def _new_segment(self) -> str:
        path = f"{self._root}/{self._next_segment:06d}.jsonl"
        self._next_segment += 1
        return path

    def _segments(self) -> list[str]:
        self._fs.invalidate_cache()
        found: list[Any] = self._fs.glob(f"{self._root}/*.jsonl")
        return sorted((str(path) for path in found), key=_segment_number)


def _segment_number(path: str) -> int:
    stem = path.rsplit("/", 1)[-1].removesuffix(".jsonl")
    return int(stem) if stem.isdigit() else 0


def _parse(path: str, content: bytes) -> Iterator[RunUpdate]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line:
            continue
        try:
            yield RunUpdate.model_validate_json(line)
        except ValidationError:
            logger.warning("%s line %d is torn; skipped", path, number)
