"""The storage as a pyarrow file system, for Ray, which takes no other."""

from collections.abc import Callable
from typing import Any, final

from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

from mixfront.records.store import open_storage
from mixfront.records.whole_files import is_local


def arrow_storage(url: str) -> tuple[FileSystem | None, str]:
    """The file system of a path or fsspec URL, and the path on it, for a Ray `RunConfig`.

    Ray would open the URL with pyarrow's own S3 client, which may find other credentials than
    ours, and knows fewer kinds of storage.

    Returns:
        None as the file system if it is local, since Ray opens the same.

    Raises:
        SpecError: If the URL cannot be opened.
    """
    fs, path = open_storage(url)
    return (None if is_local(fs) else PyFileSystem(_UrlHandler(url))), path


@final
class _UrlHandler(FSSpecHandler):  # type: ignore[misc]  # untyped in pyarrow
    """Pickled as its URL: Ray stores it and sends it to actors, which have their own credentials.

    A pickled fsspec file system contains the keys of fsspec's configuration.
    """

    def __init__(self, url: str) -> None:
        fs, _ = open_storage(url)
        super().__init__(fs)
        self._url = url

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return _UrlHandler, (self._url,)
