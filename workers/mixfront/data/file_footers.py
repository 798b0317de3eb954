"""Identifies a data set by its files' Parquet footers, which are the same in every copy.

A footer has the schema and, per row group, the number of rows and every column's sizes and usually
its smallest and largest value. Modification times differ between the copies of two nodes, and
reading all of the data would take too long.
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mixfront.data.storage import ParquetFiles

PREFIX = "footers:"  # of digests; earlier versions recorded digests of modification times
_PARALLEL_READS = 32
_TAIL = 8  # bytes at the end of a file: length of the footer, and a magic number
_known: dict[tuple[str, str, str], str] = {}  # lanes live long, and each trial asks again


def read_footers(files: ParquetFiles) -> dict[str, str]:
    """Read every file's footer; a file is read again only after its version has changed.

    Returns:
        Name below the root -> size and digest of the footer.

    Raises:
        OSError: If a file cannot be read.
    """
    with ThreadPoolExecutor(_PARALLEL_READS) as threads:
        values = list(threads.map(lambda item: _footer(files, *item), _items(files)))
    names = (name.removeprefix(files.root) for name in files.names)
    return dict(zip(names, values, strict=True))


def footers_digest(footers: Mapping[str, str]) -> str:
    """One digest of all names, sizes and footers."""
    digest = hashlib.sha256()
    for name, footer in footers.items():
        digest.update(f"{name}\0{footer}\n".encode())
    return PREFIX + digest.hexdigest()


def differs(recorded: str | None, current: str) -> bool:
    """Whether the data has changed; digests of earlier versions cannot be compared."""
    return recorded is not None and recorded.startswith(PREFIX) and recorded != current


def _items(files: ParquetFiles) -> list[tuple[str, str]]:
    return list(zip(files.names, files.versions, strict=True))


def _footer(files: ParquetFiles, name: str, version: str) -> str:
    key = (files.path, name, version)
    if key not in _known:
        _known[key] = _read(files.filesystem, name)
    return _known[key]


def _read(filesystem: Any, name: str) -> str:
    with filesystem.open_input_file(name) as file:
        size = file.size()
        tail = file.read_at(min(_TAIL, size), max(0, size - _TAIL))
        # A damaged file may claim any length; reading the data explains what is wrong with it.
        length = min(int.from_bytes(tail[:4], "little") + _TAIL, size)
        footer = file.read_at(length, size - length)
    return f"{size} {hashlib.sha256(footer).hexdigest()[:32]}"
