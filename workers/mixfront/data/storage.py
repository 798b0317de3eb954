"""Parquet files below a path or URL: which there are, and what identifies their content."""

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
    """The files of one data set, sorted by name, so that rows always come in one order."""

    path: str  # as the user wrote it
    root: str  # as its file system writes it
    names: tuple[str, ...]  # full names on `filesystem`
    versions: tuple[str, ...]  # size and time of change or etag of each
    filesystem: Any  # pyarrow.fs.FileSystem

    def digest(self) -> str:
        """Changes when a file is added, removed, renamed below the root, or rewritten."""
        digest = hashlib.sha256()
        for name, version in zip(self.names, self.versions, strict=True):
            digest.update(f"{name.removeprefix(self.root)}\0{version}\n".encode())
        return digest.hexdigest()


def find_files(path: str) -> ParquetFiles:
    """Every Parquet file at or below `path`.

    Names that begin with `_` or `.` are left out, as Hive and Spark do.

    Raises:
        DataError: If there is no such path, no Parquet file, or no driver for the URL.
    """
    try:
        source, root = fsspec.core.url_to_fs(path)
        found = source.find(root, detail=True)
    except (ImportError, ValueError) as problem:
        raise DataError(f"cannot open {path}: {problem}; install the driver of its URL") from None
    except OSError as problem:
        raise DataError(f"cannot open {path}: {problem}; check the path") from None
    names = sorted(name for name in found if name == root or _is_data(name, root))
    if not names:
        state = "holds no Parquet file" if source.exists(root) else "does not exist"
        raise DataError(f"the data path {path} {state}; check `path`")
    return ParquetFiles(
        path=path,
        root=root,
        names=tuple(names),
        versions=tuple(_version(found[name]) for name in names),
        filesystem=_arrow_filesystem(source),
    )


def dataset_digest(path: str) -> str:
    """What identifies the content of a data set: file names, sizes, times of change or etags.

    Raises:
        DataError: As `find_files`.
    """
    return find_files(path).digest()


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
        return pyarrow.fs.LocalFileSystem()  # reads through memory maps, without Python
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(source))
