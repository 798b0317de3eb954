"""MLflow clients without log noise and without global state.

Only `MlflowClient(tracking_uri)` is used, so a program that searches with mixfront and also logs
to MLflow itself keeps its own tracking URI and active run.
"""

import importlib
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mixfront.exceptions import TrackingError
from mixfront.installation.extras import missing_extra
from mixfront.locations import expanded
from mixfront.records.scrub import scrub_text

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

_SQL_SCHEMES = ("sqlite:", "postgresql", "mysql", "mssql")
_NOISY_LOGGERS = ("alembic", "mlflow.store.db.utils", "mlflow.tracking.fluent")
# MLflow reads these at every request and has no arguments for them. With its default of seven
# retries, one request to a dead server takes minutes and blocks everything else.
_DRIVER_VARIABLES = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def preload(uri: str) -> None:
    """Import what `connect` needs, so that a thread can call it later.

    Importing MLflow's SQL store raises deprecation warnings, and silencing them is not
    thread-safe.
    """
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("mlflow")
        if uri.startswith(_SQL_SCHEMES):
            importlib.import_module("mlflow.store.tracking.sqlalchemy_store")


def connect(uri: str) -> "MlflowClient":
    """A client for one tracking URI.

    Creates the folder of a SQLite file, and the tables of a database. A server is not contacted.
    """
    preload(uri)
    if (file := sqlite_file(uri)) is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


@contextmanager
def brief_requests() -> Iterator[None]:
    """Make MLflow give up on requests quickly and print no links within this block.

    Variables that the user has set are kept.
    """
    added = {name: value for name, value in _DRIVER_VARIABLES.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite tracking URI; None for any other URI."""
    if not uri.startswith("sqlite:///") or uri.endswith(":memory:"):
        return None
    return expanded(uri.removeprefix("sqlite:///").split("?", 1)[0]).resolve()


def check_reachable(uri: str, experiment: str | None = None, timeout: float = 10.0) -> None:
    """Check, before a search starts, that MLflow responds and grants access.

    Args:
        uri: Tracking URI.
        experiment: Also check that this experiment was not deleted.
        timeout: Seconds to wait for a response.

    Raises:
        TrackingError: If MLflow cannot be used; one sentence.
        MissingExtraError: If the database's driver is in an extra that is not installed.
    """
    preload(uri)
    outcome: list[Exception | None] = []
    # A database driver may retry for minutes, so probe in a thread that can be abandoned.
    probe = threading.Thread(target=_probe, args=(uri, experiment, outcome), daemon=True)
    with brief_requests():
        probe.start()
        probe.join(None if sqlite_file(uri) else timeout)
    if not outcome:
        raise _unreachable(uri, f"no response within {timeout:g} s")
    if outcome[0] is not None:
        missing = missing_extra(f"MLflow at {scrub_text(uri)}", outcome[0])
        raise missing or _as_tracking_error(uri, outcome[0]) from None


def find_experiment(client: "MlflowClient", name: str) -> "Experiment | None":
    """The active experiment of this name, if there is one.

    Raises:
        TrackingError: If the experiment was deleted.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is not None and experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"the MLflow experiment {name!r} was deleted; restore it with `mlflow experiments "
            f"restore -x {experiment.experiment_id}`, or set another tracking.experiment"
        )
    return experiment


def artifact_location(uri: str) -> str | None:
    """Artifact location of a new experiment: next to a SQLite file, else None for the default.

    MLflow's default for SQLite is a folder in the working directory, which Ray changes.
    """
    file = sqlite_file(uri)
    return None if file is None else (file.parent / "mlartifacts").as_uri()


def short_reason(error: BaseException) -> str:
    """The root cause in one line; MLflow's own messages repeat the whole request."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    first_line = str(cause).strip().split("\n", 1)[0]
    return scrub_text(first_line)[:200] or type(cause).__name__


def _probe(uri: str, experiment: str | None, outcome: list[Exception | None]) -> None:
    try:
        client = connect(uri)
        client.search_experiments(max_results=1)
        if experiment is not None:
            find_experiment(client, experiment)
    except Exception as error:
        outcome.append(error)
    else:
        outcome.append(None)


def _as_tracking_error(uri: str, error: Exception) -> TrackingError:
    if isinstance(error, TrackingError):
        return error
    return _unreachable(uri, short_reason(error))


def _unreachable(uri: str, reason: str) -> TrackingError:
    return TrackingError(
        f"MLflow at {scrub_text(uri)} cannot be used ({reason}); "
        "start it, or fix tracking.uri or MLFLOW_TRACKING_URI"
    )
