"""The spool of a search: updates for MLflow, stored in the search's folder.

    spool/000003-000007.jsonl     epoch of the driver and number of the segment: one segment per
                                  driver on a local file system; one per `sync`, written by a
                                  single put, on an object store
    spool/000003-delivered.json   progress of delivery to MLflow, and the ids of its runs

A process never appends to a segment of another process. A line torn by SIGKILL is therefore the
last of its segment, and is skipped. What a driver still wrote after its successor had taken over
is ignored: its numbers are those of the successor's updates or later ones. Files of version 0.1
have no epoch in their names, which counts as 0.
"""

import logging
import math
import re
import threading
from collections.abc import Iterator
from typing import IO, Any

import fsspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mixfront.records.fence import Fence
from mixfront.records.whole_files import is_local, replace_file
from mixfront.tracking.run_update import RunUpdate

logger = logging.getLogger(__name__)

_SEGMENT = re.compile(r"(?:(\d+)-)?(\d+)\.jsonl$")
_MARK = re.compile(r"(?:(\d+)-)?delivered\.json$")


_NO_FENCE = Fence()


class DeliveryMark(BaseModel):
    """Progress of delivery to MLflow."""

    model_config = ConfigDict(frozen=True)

    through: int = 0  # seq of the last delivered update
    page: int = 0  # seq of the front on the last delivered page
    runs: dict[str, str] = Field(default_factory=dict)  # trial id ("" = the search) -> run id


class Spool:
    """Append-only updates in one folder. Thread-safe.

    On a local file system, `append` hands the update to the operating system, so a killed process
    does not lose it. On an object store, it stays in memory until the next `sync`, because a put
    would block the caller for too long.

    Args:
        url: The folder, as a path or fsspec URL.
        fence: The driver's epoch; while the fence is closed, nothing is written.
    """

    def __init__(self, url: str, fence: Fence = _NO_FENCE) -> None:
        self._fence = fence
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._is_local = is_local(self._fs)
        self._fs.makedirs(self._root, exist_ok=True)
        numbers = [number for _, number in map(_position, self._segments())]
        self._next_segment = 1 + max(numbers, default=0)
        self._file: IO[bytes] | None = None
        self._unsynced: list[str] = []
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()

    def append(self, update: RunUpdate) -> None:
        """Append an update.

        Raises:
            OSError: If it cannot be written to the local file system.
        """
        if not self._fence.is_open:
            return
        line = update.to_line()
        with self._lock:
            if self._is_local:
                self._write_line(line)
            else:
                self._unsynced.append(line)

    def sync(self) -> None:
        """Write the updates in memory to storage, as one segment.

        Raises:
            OSError: If storage cannot be written; the updates stay in memory.
        """
        with self._sync_lock:
            with self._lock:
                lines = list(self._unsynced)
            if not lines or not self._fence.is_open:
                return
            self._fs.pipe_file(self._new_segment(), ("\n".join(lines) + "\n").encode())
            with self._lock:
                del self._unsynced[: len(lines)]

    def replay(self) -> list[RunUpdate]:
        """Every update in storage, in order, whether delivered or not."""
        by_epoch: dict[int, list[RunUpdate]] = {}
        for path in self._segments():
            updates = _parse(path, self._fs.cat_file(path))
            by_epoch.setdefault(_position(path)[0], []).extend(updates)
        kept: list[RunUpdate] = []
        first: float = math.inf  # number of the first update of the later epochs
        for epoch in sorted(by_epoch, reverse=True):
            kept += [update for update in by_epoch[epoch] if update.seq < first]
            first = min(first, *(update.seq for update in by_epoch[epoch]), math.inf)
        return sorted(kept, key=lambda update: update.seq)

    def delivered(self) -> DeliveryMark:
        """The mark of the latest driver that has one; an empty one if it is unreadable."""
        self._fs.invalidate_cache()
        paths = self._files("*delivered.json")
        if not paths:
            return DeliveryMark()
        path = max(paths, key=_epoch_of_mark)
        try:
            return DeliveryMark.model_validate_json(self._fs.cat_file(path))
        except ValidationError:
            logger.warning("%s is unreadable; delivering all updates again", path)
            return DeliveryMark()

    def mark(self, delivered: DeliveryMark) -> None:
        """Replace this driver's mark atomically."""
        if not self._fence.is_open:
            return
        content = delivered.model_dump_json().encode()
        replace_file(self._fs, f"{self._prefix()}-delivered.json", content)

    def close(self) -> None:
        """Close the current segment."""
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
        path = f"{self._prefix()}-{self._next_segment:06d}.jsonl"
        self._next_segment += 1
        return path

    def _prefix(self) -> str:
        return f"{self._root}/{self._fence.epoch:06d}"

    def _segments(self) -> list[str]:
        self._fs.invalidate_cache()
        return sorted(self._files("*.jsonl"), key=_position)

    def _files(self, pattern: str) -> list[str]:
        """Paths of the folder's files; a folder of such a name is ignored."""
        entries: dict[str, Any] = self._fs.glob(f"{self._root}/{pattern}", detail=True)
        return [path for path, entry in entries.items() if entry["type"] == "file"]


def _position(path: str) -> tuple[int, int]:
    """Epoch and number of a segment."""
    match = _SEGMENT.match(path.rsplit("/", 1)[-1])
    return (int(match[1] or 0), int(match[2])) if match else (0, 0)


def _epoch_of_mark(path: str) -> int:
    match = _MARK.match(path.rsplit("/", 1)[-1])
    return int(match[1]) if match and match[1] else -1  # before any mark with an epoch


def _parse(path: str, content: bytes) -> Iterator[RunUpdate]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line:
            continue
        try:
            yield RunUpdate.model_validate_json(line)
        except ValidationError:
            logger.warning("skipping line %d of %s, which is torn or no update", number, path)
