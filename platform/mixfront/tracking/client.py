"""MLflow's client, without its chatter and without its global state.

Only `MlflowClient(tracking_uri)` is used: a program that searches with mixfront and logs to MLflow
of its own accord finds its tracking URI and its active run as it left them.
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
from mixfront.records.scrub import scrub_text

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

_SQL_SCHEMES = ("sqlite:", "postgresql", "mysql", "mssql")
_CHATTY_LOGGERS = ("alembic", "mlflow.store.db.utils", "mlflow.tracking.fluent")
# MLflow reads these at every request; there is no argument for any of them. With its seven
# retries one request to a dead server takes minutes, in which nothing else can be asked.
_DRIVER_VARIABLES = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def preload(uri: str) -> None:
    """Import what `connect` needs, so that a thread may call it later.

    Importing MLflow's SQL store warns of its own deprecations; silencing that is not thread-safe.
    """
    for name in _CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("mlflow")
        if uri.startswith(_SQL_SCHEMES):
            importlib.import_module("mlflow.store.tracking.sqlalchemy_store")


def connect(uri: str) -> "MlflowClient":
    """A client for one tracking URI.

    It makes the folder of an SQLite file. A server is not contacted; a database is, and its
    tables are made.
    """
    preload(uri)
    if (file := sqlite_file(uri)) is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


@contextmanager
def brief_requests() -> Iterator[None]:
    """MLflow gives up on a request quickly, and prints no links, while this lasts.

    What the user has set stays as it is.
    """
    added = {name: value for name, value in _DRIVER_VARIABLES.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def sqlite_file(uri: str) -> Path | None:
    """The file of an SQLite tracking URI; None for any other URI."""
    if not uri.startswith("sqlite:///") or uri.endswith(":memory:"):
        return None
    return Path(uri.removeprefix("sqlite:///").split("?", 1)[0]).expanduser().resolve()


def check_reachable(uri: str, experiment: str | None = None, timeout: float = 10.0) -> None:
    """Make sure, before a search starts, that MLflow is there and lets us in.

    Args:
        uri: Tracking URI.
        experiment: Also make sure that this experiment was not deleted.
        timeout: Seconds after which no answer counts as "not there".

    Raises:
        TrackingError: If not, in one sentence.
        MissingExtraError: If an extra of mixfront brings the driver of its database.
    """
    preload(uri)
    outcome: list[Exception | None] = []
    # A database driver may retry for minutes, so the question is asked where it can be left.
    asking = threading.Thread(target=_ask, args=(uri, experiment, outcome), daemon=True)
    with brief_requests():
        asking.start()
        asking.join(None if sqlite_file(uri) else timeout)
    if not outcome:
        raise _unreachable(uri, f"no answer within {timeout:g} s")
    if outcome[0] is not None:
        lacking = missing_extra(f"MLflow at {scrub_text(uri)}", outcome[0])
        raise lacking or _as_tracking_error(uri, outcome[0]) from None


def find_experiment(client: "MlflowClient", name: str) -> "Experiment | None":
    """An experiment that can be written to, if there is one of this name.

    Raises:
        TrackingError: If there is one, but it was deleted.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is not None and experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"the MLflow experiment {name!r} was deleted: restore it "
            f"(`mlflow experiments restore -x {experiment.experiment_id}`) or name another"
        )
    return experiment


def artifact_location(uri: str) -> str | None:
    """Where a new experiment keeps its artifacts: beside an SQLite file, else the server's choice.

    MLflow's own default for SQLite is a folder below the working directory, which Ray changes.
    """
    file = sqlite_file(uri)
    return None if file is None else (file.parent / "mlartifacts").as_uri()


def reason_of(problem: BaseException) -> str:
    """What went wrong, in a few words: MLflow repeats the whole request in its own message."""
    cause: BaseException = problem
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    first_line = str(cause).strip().split("\n", 1)[0]
    return scrub_text(first_line)[:200] or type(cause).__name__


def _ask(uri: str, experiment: str | None, outcome: list[Exception | None]) -> None:
    try:
        client = connect(uri)
        client.search_experiments(max_results=1)
        if experiment is not None:
            find_experiment(client, experiment)
    except Exception as problem:
        outcome.append(problem)
    else:
        outcome.append(None)


def _as_tracking_error(uri: str, problem: Exception) -> TrackingError:
    if isinstance(problem, TrackingError):
        return problem
    return _unreachable(uri, reason_of(problem))


def _unreachable(uri: str, reason: str) -> TrackingError:
    return TrackingError(
        f"MLflow at {scrub_text(uri)} cannot be used ({reason}): "
        "start it, or correct tracking.uri or MLFLOW_TRACKING_URI"
    )
