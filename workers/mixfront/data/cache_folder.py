"""The folder that encoded rows are kept in: private to its user, and not fuller than the disk."""

import os
import shutil
from pathlib import Path

from mixfront.exceptions import DataError

CACHE_VARIABLE = "MIXFRONT_CACHE"


def encoded_folder(cache_dir: Path | None) -> Path:
    """The folder `encoded` below a cache directory; it need not exist.

    Args:
        cache_dir: None means `$MIXFRONT_CACHE`, or `~/.cache/mixfront` where that is not set.
    """
    base = cache_dir or Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/mixfront")
    return base.expanduser().absolute() / "encoded"


def private_folder(cache_dir: Path | None) -> Path:
    """`encoded_folder`, made if it is not there, and readable by its owner alone.

    Raises:
        DataError: If it cannot be made, or belongs to another user.
    """
    folder = encoded_folder(cache_dir)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise DataError(f"the cache {folder} is another user's; set MIXFRONT_CACHE")
        folder.chmod(0o700)  # it may be older, or made under another umask
    except OSError as problem:
        raise DataError(f"cannot use the cache {folder}: {problem}; set MIXFRONT_CACHE") from None
    return folder


def require_space(folder: Path, num_bytes: int) -> None:
    """Make sure that so much can be written.

    Raises:
        DataError: If the disk has too little room.
    """
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise DataError(
            f"the encoded rows need {num_bytes / 1e9:.1f} GB but {folder.parent} has "
            f"{free / 1e9:.1f} GB left; make room or set MIXFRONT_CACHE to a larger disk"
        )


def remove(folder: Path) -> None:
    """Take a folder away, if it is there; processes that have its files mapped keep them."""
    shutil.rmtree(folder, ignore_errors=True)
