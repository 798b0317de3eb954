"""Writes the traceback of an unexpected error to a private file, without secrets."""

import os
import sys
import time
import traceback
from pathlib import Path

from mixfront.installation.versions import installed_versions
from mixfront.records.scrub import scrub_text


def write_crash_log(error: BaseException) -> Path:
    """Write the command line, the versions and the traceback of an error.

    Returns:
        The file, in `$MIXFRONT_CACHE` or `~/.cache/mixfront`; only its owner can read it.

    Raises:
        OSError: If it cannot be written.
    """
    base = Path(os.environ.get("MIXFRONT_CACHE") or "~/.cache/mixfront").expanduser()
    folder = base / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    path.touch(mode=0o600)
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions().items())
    trace = "".join(traceback.format_exception(error))
    text = f"{' '.join(sys.argv)}\n{versions}\n\n{trace}"
    path.write_text(scrub_text(text), encoding="utf-8")
    return path
