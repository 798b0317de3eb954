"""Records hold no passwords: who resumes a search brings them again."""

import os

from mixfront.exceptions import SpecError
from mixfront.records import SearchRecord
from mixfront.records.scrub import HIDDEN


def with_credentials(search: SearchRecord) -> SearchRecord:
    """The record as its first driver had it, passwords from the environment.

    Raises:
        SpecError: If a URI had a password and the environment does not have that URI.
    """
    path = str(search.spec.get("data", {}).get("path", ""))
    if HIDDEN in path:
        raise SpecError(
            f"data.path {path!r} was kept without its credentials; give those to the storage by "
            "its own environment variables, and start the search anew"
        )
    return search.model_copy(
        update={
            "optuna_storage": _whole(search.optuna_storage, "OPTUNA_STORAGE"),
            "tracking_uri": _whole(search.tracking_uri, "MLFLOW_TRACKING_URI"),
        }
    )


def _whole(uri: str, variable: str) -> str:
    if HIDDEN not in uri:
        return uri
    if not (stated := os.environ.get(variable)):
        raise SpecError(f"{uri!r} was kept without its password; set {variable} to the whole URI")
    return stated
