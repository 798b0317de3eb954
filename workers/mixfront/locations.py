"""Paths, URLs and bare names: what a piece of text points at."""

from pathlib import Path

LOCAL_SCHEMES = ("file://", "local://")  # fsspec takes both for this machine's files


def is_path(reference: str) -> bool:
    """Whether a reference is a YAML file's path or URL; otherwise it is a packaged name."""
    return "/" in reference or reference.endswith((".yaml", ".yml"))


def is_local(location: str) -> bool:
    """Whether a path or URL means something only on the machine where it is read."""
    return "://" not in location or location.startswith((*LOCAL_SCHEMES, "sqlite"))


def local_path(location: str) -> str:
    """A local location as a path, without its scheme."""
    for scheme in LOCAL_SCHEMES:
        location = location.removeprefix(scheme)
    return location


def absolute(location: str) -> str:
    """A path made absolute, symbolic links resolved; a URL without its trailing slash."""
    if not is_local(location):
        return location.rstrip("/")
    return str(Path(local_path(location)).expanduser().resolve())
