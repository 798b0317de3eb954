"""Passes environment variables to a job without exposing their values.

Ray writes the `env_vars` of a job's runtime environment to its logs and returns them from the
Jobs API. The values therefore go into a file in the job's working directory, which processes read
when they start. Every worker of a job imports this module, so it imports almost nothing.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from mixfront.exceptions import UsageError

FILE = "environment.json"
HOOK = f"{__name__}.load_in_worker"
DRIVER_ONLY = ("MLFLOW_", "OPTUNA_")  # workers get no credentials for tracking and study


def write_environment(
    folder: Path, names: Iterable[str], extra: Mapping[str, str] | None = None
) -> None:
    """Write environment variables to a file in the job's folder.

    Args:
        folder: The job's folder.
        names: Names of variables of this process.
        extra: More variables, with their values.

    Raises:
        UsageError: If a named variable is not set.
    """
    names = list(names)
    for name in names:
        if name not in os.environ:
            raise UsageError(f"--env {name}: the variable is not set; export it first")
    path = folder / FILE
    path.touch(mode=0o600)
    path.write_text(json.dumps({name: os.environ[name] for name in names} | dict(extra or {})))


def load_in_driver(folder: Path | None = None) -> None:
    """Set every variable of the file, in the driver's process."""
    os.environ.update(_read(folder))


def load_in_worker(folder: Path | None = None) -> None:
    """Set the variables that workers may see; Ray calls this in every worker of the job."""
    values = _read(folder)
    allowed = {k: v for k, v in values.items() if not k.startswith(DRIVER_ONLY)}
    os.environ.update(allowed)


def _read(folder: Path | None) -> dict[str, str]:
    path = (folder or Path.cwd()) / FILE
    if not path.exists():
        return {}
    path.chmod(0o600)  # Ray unpacks it world-readable
    return dict(json.loads(path.read_text()))
