"""Calls a function before every operation on a search's folder and on its databases.

The function may wait, raise, or end the process. If it raises OSError before a write, half of the
bytes have been written, as on a full disk.
"""

import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import sqlalchemy as sa
from fsspec.implementations.local import LocalFileOpener, LocalFileSystem

Before = Callable[[str], None]  # called with the kind of operation

READS = ("info", "ls")
CHANGES = ("makedirs", "mv", "rm", "rm_file")  # besides "open", "write" and "commit"


@contextmanager
def file_calls(folder: str, before: Before) -> Iterator[None]:
    """Call `before` with the name of each operation on files below a folder."""
    inside = threading.local()  # one operation may be made of others

    def wrapped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(fs: Any, path: Any, *arguments: Any, **options: Any) -> Any:
            if getattr(inside, "call", False) or not os.fspath(path).startswith(folder):
                return real(fs, path, *arguments, **options)
            before(name)
            inside.call = True
            try:
                return real(fs, path, *arguments, **options)
            finally:
                inside.call = False

        return call

    def open_file(file: Any) -> None:
        real_open(file)
        if file.path.startswith(folder) and file.mode != "rb":
            file.f.close()
            raw = _RawFile(file.path, "ab", before)  # "wb" has emptied it
            file.f = io.BufferedWriter(raw)

    real_open = LocalFileOpener._open
    with ExitStack() as stack:
        for name in (*READS, *CHANGES, "_open"):
            call = wrapped(name.strip("_"), getattr(LocalFileSystem, name))
            stack.enter_context(mock.patch.object(LocalFileSystem, name, call))
        stack.enter_context(mock.patch.object(LocalFileOpener, "_open", open_file))
        yield


class _RawFile(io.FileIO):
    """An unbuffered file; Python writes what is left of a partial write with the next flush."""

    def __init__(self, path: str, mode: str, before: Before) -> None:
        super().__init__(path, mode)
        self._before = before

    def write(self, content: Any, /) -> int:
        """Write all bytes, or half of them if `before` raises, which it then does."""
        whole = bytes(content)
        try:
            self._before("write")
        except OSError:
            half = len(whole) // 2
            if half == 0:
                raise
            return int(super().write(whole[:half]))
        return int(super().write(whole))


@contextmanager
def closed_connections() -> Iterator[None]:
    """Close at the end what a driver leaves open, as the end of its process would."""
    engines: set[sa.Engine] = set()

    def listener(connection: sa.Connection) -> None:
        engines.add(connection.engine)

    sa.event.listen(sa.Engine, "engine_connect", listener)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "engine_connect", listener)
        for engine in engines:
            engine.dispose()


@contextmanager
def database_calls(event: str, files: tuple[str, ...], before: Before) -> Iterator[None]:
    """Call `before` at an event of SQLAlchemy ("commit") on databases in files."""

    def listener(connection: sa.Connection, *_: Any) -> None:
        if connection.engine.url.database in files:
            before(event)

    sa.event.listen(sa.Engine, event, listener)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, event, listener)
