"""Connects to the MLflow server of the registry, and turns its errors into one sentence."""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mixfront.exceptions import TrackingError, UsageError
from mixfront.records.scrub import HIDDEN, scrub_text
from mixfront.tracking.client import check_reachable

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PROGRESS_BAR = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"


def tracking_uri(recorded: str | None) -> str:
    """MLFLOW_TRACKING_URI, or else the URI that the search used.

    Raises:
        UsageError: If there is neither, or the recorded URI lacks its password.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or recorded
    if not uri:
        raise UsageError("no MLflow server is configured; set MLFLOW_TRACKING_URI")
    if HIDDEN in uri:
        raise UsageError(
            f"{uri!r} was saved without its password; set MLFLOW_TRACKING_URI to the full URI"
        )
    return uri


@contextmanager
def registry(uri: str) -> Iterator["MlflowClient"]:
    """Yield a client of the server at `uri`, which is MLflow's current server in the block.

    Raises:
        TrackingError: If the server cannot be reached, or refuses a request in the block.
    """
    check_reachable(uri)
    import mlflow
    from mlflow.exceptions import MlflowException

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield mlflow.MlflowClient()
    except MlflowException as problem:
        first_line = scrub_text(str(problem).splitlines()[0])
        raise TrackingError(f"MLflow at {scrub_text(uri)} failed: {first_line}") from None
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None unsets it


@contextmanager
def silenced() -> Iterator[None]:
    """Silence MLflow's log, progress bar, and warnings about its type hints and use of pandas."""
    level, bar = logging.root.manager.disable, os.environ.get(_PROGRESS_BAR)
    logging.disable(max(level, logging.INFO))
    os.environ[_PROGRESS_BAR] = "false"
    try:
        with warnings.catch_warnings():
            for message in (".*Any type hint is inferred", "Operation with range is deprecated"):
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        logging.disable(level)
        os.environ.pop(_PROGRESS_BAR)
        if bar is not None:
            os.environ[_PROGRESS_BAR] = bar


def check_name(kind: str, name: str) -> None:
    """Check a model name or alias early, as MLflow would only refuse it at the end.

    Raises:
        UsageError: If MLflow would refuse it.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or set(name) <= {"."}:
        raise UsageError(f"{name!r} is not a valid {kind}; use letters, digits, '_' and '-'")
    if kind == "alias" and ("." in name or name == "latest" or re.fullmatch(r"v\d+", name)):
        raise UsageError(
            f"{name!r} is not a valid alias: it has a '.', or MLflow reserves it, like 'latest' "
            "and 'v1'; use a word such as 'champion'"
        )
