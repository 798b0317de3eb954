"""Restores the passwords that records leave out; resuming a search needs them again."""

import logging
import os

from mixfront.exceptions import SpecError
from mixfront.records import SearchRecord
from mixfront.records.scrub import HIDDEN, scrub_text
from mixfront.spec.files import absolute_uri

logger = logging.getLogger(__name__)


def with_credentials(search: SearchRecord) -> SearchRecord:
    """The record with full URIs, whose passwords come from the environment.

    Raises:
        SpecError: If a URI had a password and the environment does not provide that URI.
    """
    path = str(search.spec.get("data", {}).get("path", ""))
    if HIDDEN in path:
        raise SpecError(
            f"data.path {path!r} was stored without its credentials; set them in the storage's "
            "own environment variables, and start a new search"
        )
    return search.model_copy(
        update={
            "optuna_storage": _full_uri(search.optuna_storage, "OPTUNA_STORAGE"),
            "tracking_uri": _full_uri(search.tracking_uri, "MLFLOW_TRACKING_URI"),
        }
    )


def _full_uri(uri: str, variable: str) -> str:
    if HIDDEN not in uri:
        _warn_if_elsewhere(uri, variable)
        return uri
    if not (full := os.environ.get(variable)):
        raise SpecError(f"{uri!r} was stored without its password; set {variable} to the full URI")
    return full


def _warn_if_elsewhere(uri: str, variable: str) -> None:
    """Warn if a record names another place than the environment: others may have written it."""
    own = absolute_uri(os.environ.get(variable))
    if own and scrub_text(own) != uri:
        logger.warning(
            "the search's record says %s, but %s is %s; the record is used, so check that you "
            "trust it",
            scrub_text(uri),
            variable,
            scrub_text(own),
        )
