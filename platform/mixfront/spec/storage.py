"""Where searches are kept unless a spec says otherwise."""

import os

DEFAULT_STORAGE = "./mixfront-searches"
STORAGE_VARIABLE = "MIXFRONT_STORAGE"


def default_storage() -> str:
    """`MIXFRONT_STORAGE`, or a folder below the working directory."""
    return os.environ.get(STORAGE_VARIABLE) or DEFAULT_STORAGE
