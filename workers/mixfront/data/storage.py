"""Lists the Parquet files below a path or URL, with their names and versions."""

import hashlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import fsspec
import pyarrow.fs

from mixfront.exceptions import DataError

SUFFIXES = (".parquet", ".parq", ".pq")


@dataclass(frozen=True)
class ParquetFiles:
    """The files of one data set, sorted by name, so that rows always come in the same order."""

    path: str  # as the user wrote it
    root: str  # the same location in its file system's notation
    names: tuple[str, ...]  # full names on `filesystem`
    versions: tuple[str, ...]  # per file: size, and modification time or ETag
    filesystem: Any  # pyarrow.fs.FileSystem

    def digest(self) -> str:
        """Changes when a file is added, removed, renamed below the root, or rewritten."""
        digest = hashlib.sha256()
        for name, version in zip(self.names, self.versions, strict=True):
            digest.update(f"{name.removeprefix(self.root)}\0{version}\n".encode())
        return digest.hexdigest()


def find_files(path: str) -> ParquetFiles:
    """List every Parquet file at or below `path`, ignoring cached listings.

    Names that begin with `_` or `.` are left out, as in Hive and Spark.

    Raises:
        DataError: If the path does not exist, has no Parquet file, or needs a driver that is not
            installed.
    """
    try:
        source, root = fsspec.core.url_to_fs(path)
        # fsspec caches file systems for the whole process, and some of them cache listings
        source.invalidate_cache()
        entries = source.find(root, detail=True)
    except (ImportError, ValueError) as problem:
        raise DataError(
            f"cannot open {path}: {problem}; install the fsspec driver for this URL"
        ) from None
    except OSError as problem:
        raise DataError(f"cannot open {path}: {problem}; check the path") from None
    names = sorted(name for name in entries if name == root or _is_data(name, root))
    if not names:
        state = "holds no Parquet file" if source.exists(root) else "does not exist"
        raise DataError(f"the data path {path} {state}; check `path`")
    return ParquetFiles(
        path=path,
        root=root,
        names=tuple(names),
        versions=tuple(_version(entries[name]) for name in names),
        filesystem=_arrow_filesystem(source),
    )


def _is_data(name: str, root: str) -> bool:
    parts = PurePosixPath(name.removeprefix(root)).parts
    hidden = any(part.startswith(("_", ".")) for part in parts)
    return name.endswith(SUFFIXES) and not hidden


def _version(info: dict[str, Any]) -> str:
    for key in ("ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created"):
        if info.get(key) is not None:
            return f"{info['size']} {info[key]}"
    return str(info["size"])


def _arrow_filesystem(source: Any) -> Any:
    if isinstance(source, fsspec.implementations.local.LocalFileSystem):
        return pyarrow.fs.LocalFileSystem()  # reads without calls into Python
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(source))
