"""The folder for encoded rows: private to its user, on a disk with enough space."""

import os
import shutil
from pathlib import Path

from mixfront.exceptions import DataError

CACHE_VARIABLE = "MIXFRONT_CACHE"


def encoded_folder(cache_dir: Path | None) -> Path:
    """The folder `encoded` below a cache directory; it need not exist.

    Args:
        cache_dir: None means `$MIXFRONT_CACHE`, or `~/.cache/mixfront` if that is not set.
    """
    base = cache_dir or Path(os.environ.get(CACHE_VARIABLE) or "~/.cache/mixfront")
    return base.expanduser().absolute() / "encoded"


def private_folder(cache_dir: Path | None) -> Path:
    """`encoded_folder`, created if it is missing, and accessible only to its owner.

    Raises:
        DataError: If it cannot be created, or belongs to another user.
    """
    folder = encoded_folder(cache_dir)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise DataError(
                f"the cache {folder} belongs to another user; set MIXFRONT_CACHE to your own"
            )
        folder.chmod(0o700)  # an existing folder may be open to others
    except OSError as problem:
        raise DataError(
            f"cannot use the cache {folder}: {problem}; set MIXFRONT_CACHE to a different folder"
        ) from None
    return folder


def require_space(folder: Path, num_bytes: int) -> None:
    """Make sure that `num_bytes` can be written.

    Raises:
        DataError: If the disk has too little space.
    """
    free = free_bytes(folder)
    if free < num_bytes:
        raise DataError(
            f"the encoded rows need {num_bytes / 1e9:.1f} GB but {folder.parent} has "
            f"{free / 1e9:.1f} GB left; free some space, or move MIXFRONT_CACHE to a larger disk"
        )


def free_bytes(folder: Path) -> int:
    """Free space on the disk of a folder."""
    return shutil.disk_usage(folder).free


def remove(folder: Path) -> None:
    """Remove a folder if it exists; processes that have mapped its files can still read them."""
    shutil.rmtree(folder, ignore_errors=True)
