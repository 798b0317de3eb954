"""The default storage of searches."""

import os

DEFAULT_STORAGE = "./mixfront-searches"
STORAGE_VARIABLE = "MIXFRONT_STORAGE"


def default_storage() -> str:
    """`MIXFRONT_STORAGE`, or a folder in the working directory."""
    return os.environ.get(STORAGE_VARIABLE) or DEFAULT_STORAGE
