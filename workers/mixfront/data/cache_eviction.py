"""Evicts encoded rows that were not used for long, then the least recently used.

An entry of the cache is a folder whose manifest is written last. A process that uses the entry
holds a shared lock on the manifest, whose modification time is the time of the last use.
"""

import fcntl
import os
import re
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

from filelock import FileLock, Timeout

from mixfront.data.cache_folder import free_bytes, remove
from mixfront.exceptions import UsageError

MAX_GB_VARIABLE = "MIXFRONT_CACHE_MAX_GB"
MAX_DAYS_VARIABLE = "MIXFRONT_CACHE_MAX_DAYS"
MANIFEST = "split.json"
_ENTRY = re.compile(r"[0-9a-f]{32}")
_BUILDING = re.compile(r"([0-9a-f]{32})\.building-\d+")
_EVICTED = ".evicted"


@dataclass(frozen=True, kw_only=True)
class CacheLimits:
    """How much a node keeps, and for how long."""

    gigabytes: float = 50.0
    days: float = 30.0  # since the last use

    @classmethod
    def from_environment(cls) -> Self:
        """The limits that `$MIXFRONT_CACHE_MAX_GB` and `$MIXFRONT_CACHE_MAX_DAYS` set.

        Raises:
            UsageError: If one is not a number, or is negative.
        """
        return cls(
            gigabytes=_number(MAX_GB_VARIABLE, cls.gigabytes),
            days=_number(MAX_DAYS_VARIABLE, cls.days),
        )


@final
class InUse:
    """A shared lock on an entry, released when this object is garbage collected."""

    def __init__(self, descriptor: int) -> None:
        self._release = weakref.finalize(self, os.close, descriptor)


def use(entry: Path) -> InUse | None:
    """Protect an entry from eviction, and note its use; None if it was evicted meanwhile."""
    try:
        descriptor = os.open(entry / MANIFEST, os.O_RDONLY)
    except FileNotFoundError:
        return None
    in_use = InUse(descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_SH)  # waits for an eviction in progress
    if not _is_at(descriptor, entry / MANIFEST):
        return None
    os.utime(descriptor)
    return in_use


def make_room(root: Path, num_bytes: int) -> None:
    """Evict until an entry of this size fits within the limits and on the disk, if possible.

    Entries that a process uses, or builds, are kept.

    Args:
        root: Folder of the entries.
        num_bytes: Size of the entry that is about to be written.

    Raises:
        UsageError: If a limit is invalid.
    """
    limits = CacheLimits.from_environment()
    with FileLock(root / "eviction.lock"):
        _remove_abandoned(root)
        entries = sorted((_last_use(entry), entry) for entry in _entries(root))
        oldest = time.time() - limits.days * 86_400
        excess = used_bytes(root) + num_bytes - limits.gigabytes * 1e9
        for last_use, entry in entries:
            if last_use >= oldest and excess <= 0 and free_bytes(root) >= num_bytes:
                break
            size = _num_bytes(entry)
            excess -= size if _evict(entry) else 0


def used_bytes(root: Path) -> int:
    """Size of everything below the folder of the entries; 0 if it does not exist."""
    return _num_bytes(root)


def _entries(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if _ENTRY.fullmatch(path.name)]


def _last_use(entry: Path) -> float:
    try:
        return (entry / MANIFEST).stat().st_mtime
    except FileNotFoundError:  # incomplete, so of no use
        return 0.0


def _evict(entry: Path) -> bool:
    """Remove an entry, unless a process uses it."""
    try:
        descriptor = os.open(entry / MANIFEST, os.O_RDONLY)
    except FileNotFoundError:
        return False  # its next user replaces it
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        gone = entry.with_name(f"{entry.name}{_EVICTED}")
        entry.rename(gone)  # at once, so that nobody finds half of it
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    remove(gone)
    return True


def _remove_abandoned(root: Path) -> None:
    """Remove what killed processes left behind; the caller holds the lock of evictions."""
    for path in list(root.iterdir()):
        building = _BUILDING.fullmatch(path.name)
        if path.name.endswith(_EVICTED):
            remove(path)
        elif building is not None:
            try:
                with FileLock(root / f"{building[1]}.lock", timeout=0):
                    remove(path)
            except Timeout:  # another process is building it
                continue


def _is_at(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _num_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # removed by another process meanwhile
            continue
    return total


def _number(variable: str, default: float) -> float:
    text = os.environ.get(variable) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value >= 0:
        raise UsageError(f"{variable} is {text!r}, not a number of 0 or more; {_EXAMPLE}")
    return value


_EXAMPLE = f"set it like {MAX_GB_VARIABLE}=50 or {MAX_DAYS_VARIABLE}=30"
