"""Checks the folders that mixfront writes to: the storage and the cache of encoded rows."""

import os
import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

from mixfront.doctor.finding import Finding, failed, ok, one_line, warning
from mixfront.exceptions import UsageError
from mixfront.locations import absolute, is_local
from mixfront.spec.storage import STORAGE_VARIABLE, default_storage

LOW_BYTES = 5e9  # a search keeps checkpoints, and the cache keeps a copy of the data


def check_storage() -> Finding:
    """Write a small file to the storage, and delete it again."""
    place = default_storage()
    if is_local(place):
        return _local(Path(absolute(place)), STORAGE_VARIABLE)
    import fsspec

    fs, root = fsspec.core.url_to_fs(place)
    file = f"{root.rstrip('/')}/.mixfront-doctor-{secrets.token_hex(4)}"
    try:
        fs.makedirs(root, exist_ok=True)
        fs.pipe_file(file, b"written by `mixfront doctor`")
        fs.rm_file(file)
    except Exception as problem:  # every filesystem raises its own errors
        return failed(
            f"{STORAGE_VARIABLE}={place} cannot be written to: {one_line(problem)}",
            f"check its name and credentials, or set {STORAGE_VARIABLE} to another folder",
        )
    return ok(f"{STORAGE_VARIABLE}={place} is writable")


def check_cache() -> Finding:
    """Check the cache, which only this user may access because encoded rows are user data."""
    from mixfront.data.cache_eviction import CacheLimits, used_bytes
    from mixfront.data.cache_folder import CACHE_VARIABLE, encoded_folder

    try:
        limits = CacheLimits.from_environment()
    except UsageError as problem:
        return failed(str(problem), "correct it, or leave it out for the default")
    folder = encoded_folder(None)
    if folder.exists():
        info = folder.stat()
        if info.st_uid != os.getuid():
            return failed(
                f"{folder} belongs to another user",
                f"set {CACHE_VARIABLE} to a folder that you own",
            )
        if info.st_mode & 0o077:
            return failed(
                f"other users can access {folder} (mode {info.st_mode & 0o777:o})",
                f"chmod 700 {folder}",
            )
    finding = _local(folder, CACHE_VARIABLE)
    used = (
        f"encoded rows take {used_bytes(folder) / 1e9:.1f} GB, at most {limits.gigabytes:g} GB, "
        f"and are removed after {limits.days:g} days without use"
    )
    return replace(finding, seen=f"{finding.seen}; {used}")


def first_existing(folder: Path) -> Path:
    """The folder itself, or its nearest parent that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _local(folder: Path, variable: str) -> Finding:
    place = first_existing(folder)
    try:
        with TemporaryFile(dir=place):
            free = shutil.disk_usage(place).free
    except OSError as problem:
        return failed(
            f"{folder} cannot be written to: {problem.strerror}",
            f"change the owner of {place}, or set {variable} to another folder",
        )
    seen = f"{folder} is writable, {free / 1e9:.1f} GB are free"
    if free < LOW_BYTES:
        return warning(seen, f"free some space, or set {variable} to a folder on a larger disk")
    return ok(seen)
