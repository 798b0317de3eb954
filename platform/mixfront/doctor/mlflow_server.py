"""MLflow: the server at MLFLOW_TRACKING_URI, or the SQLite file that is used without it."""

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
    """Have a server make an experiment and delete it again; a file is only looked at."""
    require("mlflow")
    from mixfront.tracking.client import check_reachable, sqlite_file

    uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING
    if (file := sqlite_file(uri)) is not None and not file.exists():
        return _future_file(file)
    try:
        check_reachable(uri, timeout=_ANSWER_S)
    except TrackingError as problem:
        return failed(str(problem), "start it, or correct MLFLOW_TRACKING_URI")
    return _file(file) if file is not None else _server(uri)


def _future_file(file: Path) -> Finding:
    folder = first_existing(file.parent)
    if os.access(folder, os.W_OK):
        return ok(f"no server is named; {file} will be made")
    return failed(
        f"{file} cannot be made: {folder} is not writable",
        "set MLFLOW_TRACKING_URI to a server, or work in a folder of your own",
    )


def _file(file: Path) -> Finding:
    if os.access(file, os.W_OK):
        return ok(f"{file} is writable")
    return failed(f"{file} is not writable", "change its owner, or set MLFLOW_TRACKING_URI")


def _server(uri: str) -> Finding:
    from mixfront.tracking.client import brief_requests, connect, short_reason

    # One experiment per user, deleted whenever nobody looks: a server keeps deleted ones.
    name = f"mixfront-doctor-{getpass.getuser()}"
    try:
        with brief_requests():
            client = connect(uri)
            found = client.get_experiment_by_name(name)
            if found is not None and found.lifecycle_stage == "deleted":
                client.restore_experiment(found.experiment_id)
            number = found.experiment_id if found else client.create_experiment(name)
            client.delete_experiment(number)
    except Exception as problem:
        return failed(
            f"MLflow at {uri} answers, but refuses to be written to: {short_reason(problem)}",
            "ask for permission to make experiments, or log in: MLFLOW_TRACKING_USERNAME, "
            "MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_TOKEN",
        )
    return ok(f"MLflow at {uri} is writable")
