"""MLflow as the registry sees it: one server at a time, errors as one sentence."""

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
    """MLFLOW_TRACKING_URI, else what the search used.

    Raises:
        UsageError: If there is neither, or the record was kept without the password.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or recorded
    if not uri:
        raise UsageError("no MLflow server is known: set MLFLOW_TRACKING_URI")
    if HIDDEN in uri:
        raise UsageError(
            f"{uri!r} was kept without its password; set MLFLOW_TRACKING_URI to the whole URI"
        )
    return uri


@contextmanager
def registry(uri: str) -> Iterator["MlflowClient"]:
    """A client of the server at `uri`, which is MLflow's current one inside the block.

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
        raise TrackingError(f"MLflow at {scrub_text(uri)} said: {first_line}") from None
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None takes it back


@contextmanager
def silenced() -> Iterator[None]:
    """Silence MLflow's chatter, and the warnings that its own code provokes.

    Those are of its own type hints, and of its use of pandas.
    """
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
    """Refuse a model name or an alias that MLflow would refuse after all the work is done.

    Raises:
        UsageError: With what is allowed.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name) or set(name) <= {"."}:
        raise UsageError(f"{name!r} cannot be a {kind}: use letters, digits, '_' and '-'")
    if kind == "alias" and ("." in name or name == "latest" or re.fullmatch(r"v\d+", name)):
        raise UsageError(
            f"{name!r} cannot be an alias, MLflow keeps 'latest' and 'v1' for itself: "
            "use a word such as 'champion'"
        )
