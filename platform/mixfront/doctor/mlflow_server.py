"""Checks MLflow: the server at MLFLOW_TRACKING_URI, or the default SQLite file."""

import getpass
import os
from pathlib import Path

from mixfront.doctor.finding import Finding, failed, ok
from mixfront.doctor.folders import first_existing
from mixfront.doctor.needs import require
from mixfront.exceptions import TrackingError
from mixfront.spec.files import DEFAULT_TRACKING

_ANSWER_S = 8.0


def check_mlflow() -> Finding:
    """Create and delete an experiment on a server; for a file, only check that it is writable."""
    require("mlflow")
    from mixfront.tracking.client import check_reachable, sqlite_file

    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING
    if (file := sqlite_file(uri)) is not None and not file.exists():
        return _future_file(file)
    try:
        check_reachable(uri, timeout=_ANSWER_S)
    except TrackingError as problem:
        return failed(str(problem), "start the server, or correct MLFLOW_TRACKING_URI")
    return _file(file) if file is not None else _server(uri)


def _future_file(file: Path) -> Finding:
    folder = first_existing(file.parent)
    if os.access(folder, os.W_OK):
        return ok(f"no server is set; {file} will be created")
    return failed(
        f"{file} cannot be created, because {folder} is not writable",
        "set MLFLOW_TRACKING_URI to a server, or work in a folder that you can write to",
    )


def _file(file: Path) -> Finding:
    if os.access(file, os.W_OK):
        return ok(f"{file} is writable")
    return failed(f"{file} is not writable", "change its owner, or set MLFLOW_TRACKING_URI")


def _server(uri: str) -> Finding:
    from mixfront.tracking.client import brief_requests, connect, short_reason

    # One experiment per user, restored for every check, because servers keep deleted ones.
    name = f"mixfront-doctor-{getpass.getuser()}"
    try:
        with brief_requests():
            client = connect(uri)
            experiment = client.get_experiment_by_name(name)
            if experiment is not None and experiment.lifecycle_stage == "deleted":
                client.restore_experiment(experiment.experiment_id)
            experiment_id = (
                experiment.experiment_id if experiment else client.create_experiment(name)
            )
            client.delete_experiment(experiment_id)
    except Exception as problem:
        return failed(
            f"MLflow at {uri} responds, but refuses writes: {short_reason(problem)}",
            "ask for permission to create experiments, or set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
        )
    return ok(f"MLflow at {uri} is writable")
