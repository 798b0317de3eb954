"""Environment variables that travel with a job without being shown anywhere.

Ray writes the `env_vars` of a job's runtime environment into its log files and answers them to
whoever asks the Jobs API, so values go another way: as a file in the job's working directory,
which is read where processes start. This module is imported by every worker of a job and so
imports next to nothing.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from mixfront.exceptions import UsageError

FILE = "environment.json"
HOOK = f"{__name__}.load_in_worker"
DRIVER_ONLY = ("MLFLOW_", "OPTUNA_")  # workers hold no credentials of the tracking server


def write_environment(
    folder: Path, names: Iterable[str], more: Mapping[str, str] | None = None
) -> None:
    """Put the named variables of this process into the folder that will travel.

    Args:
        folder: The folder.
        names: Of variables that are set here.
        more: Further variables and their values.

    Raises:
        UsageError: If one is not set.
    """
    names = list(names)
    for name in names:
        if name not in os.environ:
            raise UsageError(f"--env {name}: it is not set here; export it first")
    path = folder / FILE
    path.touch(mode=0o600)
    path.write_text(json.dumps({name: os.environ[name] for name in names} | dict(more or {})))


def load_in_driver(folder: Path | None = None) -> None:
    """Set every variable that travelled, in the process that drives the search."""
    os.environ.update(_read(folder))


def load_in_worker(folder: Path | None = None) -> None:
    """Set what a worker may know; Ray calls this in each worker process of the job."""
    values = _read(folder)
    allowed = {k: v for k, v in values.items() if not k.startswith(DRIVER_ONLY)}
    os.environ.update(allowed)


def _read(folder: Path | None) -> dict[str, str]:
    path = (folder or Path.cwd()) / FILE
    if not path.exists():
        return {}
    path.chmod(0o600)  # Ray unpacks it for everybody to read
    return dict(json.loads(path.read_text()))
