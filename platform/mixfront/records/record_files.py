"""Reads and writes the JSON files of a search's folder: many at a time, and fenced."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mixfront.exceptions import TrackingError
from mixfront.records.fence import Fence
from mixfront.records.retries import Retry, once
from mixfront.records.whole_files import replace_file

R = TypeVar("R", bound=BaseModel)

logger = logging.getLogger(__name__)

PARALLEL_READS = 32  # an object store takes about 30 ms per read
_NO_FENCE = Fence()


@dataclass(frozen=True)
class RecordFiles:
    """The JSON files of one search's folder.

    Args:
        fs: An fsspec file system.
        root: The folder, without its protocol.
        fence: Nothing is written while it is closed.
        retry: Repeats what fails.
        memory: The trials' records, if this program is their only writer.
    """

    fs: Any
    root: str
    fence: Fence = _NO_FENCE
    retry: Retry = once
    memory: "RecordsInMemory | None" = None
    _made: set[str] = field(default_factory=set)  # folders that exist

    def read(self, kind: type[R], name: str) -> R:
        """Read one file.

        Raises:
            TrackingError: If it is not a `kind`.
        """
        return self._parse(kind, name, self.fs.cat_file(f"{self.root}/{name}"))

    def write(self, name: str, text: str) -> None:
        """Replace a file atomically: a reader sees the old text or the new one."""
        self.retry(lambda: self._replace(name, text.encode()))

    def read_trials(self, kind: type[R]) -> dict[str, R]:
        """Read every trial's record, by trial id.

        Raises:
            TrackingError: If one is not a `kind`.
        """
        read = self._read_trial_files if self.memory is None else self._remembered
        return {
            trial_id: self._parse(kind, trial_file(trial_id), content)
            for trial_id, content in self.retry(read).items()
        }

    def write_trial(self, trial_id: str, text: str) -> None:
        """Replace a trial's record."""
        self.write(trial_file(trial_id), text)
        if self.memory is not None and self.fence.is_open:
            self.memory.put(trial_id, text.encode())

    def _remembered(self) -> Mapping[str, bytes]:
        assert self.memory is not None
        return self.memory.contents(self._read_trial_files)

    def _read_trial_files(self) -> dict[str, bytes]:
        """One listing, then the files in parallel; folders without a record are left out."""
        self.fs.invalidate_cache()
        try:
            paths = self.fs.ls(f"{self.root}/trials", detail=False)
        except FileNotFoundError:
            return {}
        ids = [str(path).rstrip("/").rsplit("/", 1)[-1] for path in paths]
        with ThreadPoolExecutor(PARALLEL_READS) as threads:
            contents = list(threads.map(self._content_if_exists, ids))
        return {
            trial_id: content
            for trial_id, content in zip(ids, contents, strict=True)
            if content is not None
        }

    def _content_if_exists(self, trial_id: str) -> bytes | None:
        try:
            return bytes(self.fs.cat_file(f"{self.root}/{trial_file(trial_id)}"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _parse(self, kind: type[R], name: str, content: bytes) -> R:
        try:
            return kind.model_validate_json(content)
        except ValidationError:
            raise TrackingError(
                f"{self.root}/{name} is not a {kind.__name__} that this version of mixfront can "
                "read, because it is damaged or from another version; restore it or use that "
                "version"
            ) from None

    def _replace(self, name: str, content: bytes) -> None:
        if not self.fence.is_open:  # asked again at each attempt: retries can outlive the lease
            logger.info("%s is not written, as this driver has lost the search", name)
            return
        path = f"{self.root}/{name}"
        folder = path.rsplit("/", 1)[0]
        if folder not in self._made:  # a request of its own on an object store
            self.fs.makedirs(folder, exist_ok=True)
            self._made.add(folder)
        replace_file(self.fs, path, content)


class RecordsInMemory:
    """What the only writer of the trials' records has read and written; thread-safe.

    It holds the files' bytes, so that every reader gets records of its own.
    """

    def __init__(self) -> None:
        self._contents: dict[str, bytes] | None = None  # by trial id; None until the first read
        self._lock = threading.Lock()

    def contents(self, read: Callable[[], dict[str, bytes]]) -> Mapping[str, bytes]:
        """The content of every record, by trial id; `read` gets it from storage, once."""
        with self._lock:
            if self._contents is None:
                self._contents = read()
            return dict(self._contents)

    def put(self, trial_id: str, content: bytes) -> None:
        """Keep what was just written to storage."""
        with self._lock:  # also waits for a read that may have missed the write
            if self._contents is not None:
                self._contents[trial_id] = content


def trial_file(trial_id: str) -> str:
    """A trial's record, below the search's folder."""
    return f"trials/{trial_id}/record.json"
