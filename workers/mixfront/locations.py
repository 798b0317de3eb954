"""Classifies paths, URLs and bare names, and makes paths absolute."""

import os
from pathlib import Path

from mixfront.exceptions import UsageError

LOCAL_SCHEMES = ("file://", "local://")  # fsspec uses both for local files


def is_path(reference: str) -> bool:
    """Whether a reference is a YAML file's path or URL; otherwise it is a packaged name."""
    return "/" in reference or reference.endswith((".yaml", ".yml"))


def is_local(location: str) -> bool:
    """Whether a path or URL is only valid on this machine."""
    return "://" not in location or location.startswith((*LOCAL_SCHEMES, "sqlite"))


def local_path(location: str) -> str:
    """A local location as a path, without its scheme."""
    for scheme in LOCAL_SCHEMES:
        location = location.removeprefix(scheme)
    return location


def expanded(location: str) -> Path:
    """A local location as a path, with `~` replaced by the home directory.

    Raises:
        UsageError: If no path may be called like this.
    """
    try:
        os.fsencode(location)
        if "\0" in location:
            raise UsageError(f"{location!r} is not a path: it has a null byte; remove it")
        return Path(local_path(location)).expanduser()
    except UnicodeEncodeError:
        raise UsageError(f"{location!r} is not a path: it is not valid Unicode") from None
    except RuntimeError:
        name = Path(local_path(location)).parts[0]
        raise UsageError(
            f"{location!r} is not a path: {name!r} has no home directory; write it out"
        ) from None


def absolute(location: str) -> str:
    """An absolute path with symbolic links resolved, or a URL without its trailing slash.

    Raises:
        UsageError: If no path may be called like this.
    """
    if not is_local(location):
        return location.rstrip("/")
    return str(expanded(location).resolve())
