"""The folder of a search, and the check that what its records and spool name is inside it.

Everyone who can write to the storage can write a record or a line of the spool. Without this
check, either could make a driver read any file, and upload it.
"""

import os
from typing import Any

import fsspec
from fsspec.core import split_protocol
from fsspec.implementations.local import LocalFileSystem

from mixfront.exceptions import StorageError


class OwnFolder:
    """The folder of a search.

    Locations are compared by path, so another spelling (relative, `~`, `file://`, a symbolic
    link) of the same folder is fine. A recorded URL is never opened: what is inside is opened
    below `url`.

    Args:
        url: The folder, as a path or fsspec URL.
        recorded: The folder when the search started; differs from `url` if it was moved.
    """

    def __init__(self, url: str, recorded: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._recorded = recorded
        self._fs: Any
        self._fs, self._root = fsspec.core.url_to_fs(self.url)

    def url_of(self, location: str, what: str) -> str:
        """The URL of a recorded location, in this folder.

        Args:
            location: A path or URL, also one from before the folder was moved.
            what: What the location is of, for the error: "the checkpoint of trial 3".

        Raises:
            StorageError: If it is not below the folder, or a symbolic link leads out of it.
        """
        url = self.moved(location)
        if url is None:
            raise self._outside(location, what)
        self._refuse_link(self._fs._strip_protocol(url), what)
        return url

    def moved(self, location: str) -> str | None:
        """A location in this folder, or in the folder before it was moved; None for any other."""
        for folder in (self.url, self._recorded):
            relative = None if folder is None else _relative(location, folder)
            if relative is not None:
                return f"{self.url}/{relative}"
        return None

    def files(self, url: str, what: str) -> list[str]:
        """Paths of all files below `url`, which `url_of` returned; empty if there are none.

        Raises:
            StorageError: If a symbolic link leads out of the search's folder.
        """
        self._fs.invalidate_cache()
        files = [str(file) for file in self._fs.find(self._fs._strip_protocol(url))]
        for file in files:
            self._refuse_link(file, what)
        return files

    def _refuse_link(self, path: str, what: str) -> None:
        """Refuse a path whose symbolic links lead out of the folder."""
        if not isinstance(self._fs, LocalFileSystem):
            return
        if not os.path.realpath(path).startswith(f"{os.path.realpath(self._root)}/"):
            raise self._outside(path, what)

    def _outside(self, location: str, what: str) -> StorageError:
        kind = _file_system(location)
        target = ""
        if kind is not None and issubclass(kind, LocalFileSystem):
            target = f" ({os.path.realpath(kind._strip_protocol(location))})"
        return StorageError(
            f"{what} is at {location!r}{target}, which is not in the search's folder {self.url}, "
            "so it was not read; move the search back if it was moved, or restore its records"
        )


def _relative(location: str, folder: str) -> str | None:
    """The path of a location below a folder; None if it is not below it."""
    if "::" in location or "::" in folder:  # chained file systems: only the same spelling
        path, root = location, folder.rstrip("/")
    else:
        kind = _file_system(location)
        if kind is None or kind is not _file_system(folder):
            return None
        path, root = kind._strip_protocol(location), kind._strip_protocol(folder).rstrip("/")
        if issubclass(kind, LocalFileSystem):
            path, root = os.path.realpath(path), os.path.realpath(root)
    if not path.startswith(f"{root}/"):
        return None
    relative: str = path.removeprefix(f"{root}/").rstrip("/")
    return relative if relative and not {".", ".."} & set(relative.split("/")) else None


def _file_system(location: str) -> Any:
    """The class of a location's file system, without opening it; None if there is none."""
    try:
        return fsspec.get_filesystem_class(split_protocol(location)[0] or "file")
    except (ImportError, ValueError):
        return None
