"""Writes whole files on any fsspec file system: a reader sees all of a file, or the one before."""

import uuid
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem


def replace_file(fs: Any, path: str, content: bytes) -> None:
    """Write or replace a file.

    Args:
        fs: An fsspec file system.
        path: The file, without its protocol; its folder exists.
        content: All of it.
    """
    if is_local(fs):
        fs.pipe_file(f"{path}.new", content)
        fs.mv(f"{path}.new", path)
    else:  # object stores replace atomically
        fs.pipe_file(path, content)


def create_file(fs: Any, path: str, content: bytes) -> None:
    """Create a file; of several writers at once, one succeeds.

    Exclusive on local files and on S3 (`If-None-Match`). On a store where fsspec only looks before
    it writes, two writers within the time of one request may both succeed.

    Raises:
        FileExistsError: If the file exists.
    """
    if is_local(fs):  # where fsspec's "create" only looks before it writes
        _create_local(Path(path), content)
    else:
        fs.pipe_file(path, content, mode="create")


def is_local(fs: Any) -> bool:
    """Whether a file system is this machine's own."""
    return isinstance(fs, LocalFileSystem)


def _create_local(path: Path, content: bytes) -> None:
    whole = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    whole.write_bytes(content)
    try:
        path.hardlink_to(whole)
    except FileExistsError:
        raise
    except OSError:  # no hard links, as on some network drives
        with path.open("xb") as file:
            file.write(content)
    finally:
        whole.unlink()
