"""Packs a job for a cluster: the resolved spec, the files it reads, and the environment."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec

from mixfront.cluster.environment import write_environment
from mixfront.exceptions import SpecError
from mixfront.locations import is_local, is_path

if TYPE_CHECKING:
    from mixfront.spec.search_spec import SearchSpec

SPEC = "spec.yaml"
_LOCATIONS = (("data", "path"), ("storage",), ("tracking", "uri"), ("optuna_storage",))
READ_FILES = {("data", "schema"): "schema.yaml", ("space",): "space.yaml"}


def pack(spec: "SearchSpec", folder: Path, *, env: Sequence[str], shared: bool) -> None:
    """Write the job's working directory to `folder`.

    Args:
        spec: The spec, with absolute paths.
        folder: An empty folder.
        env: Names of environment variables to send; the values are those of this process.
        shared: Whether the cluster has the same files as this machine. If not, the schema and a
            user's own space are sent too.

    Raises:
        SpecError: If the spec names a location that the cluster cannot access.
        UsageError: If an environment variable is not set.
    """
    data = spec.dump()
    if not shared:
        _refuse_local(data)
        _copy_files(data, folder)
    server_uris = _pop_server_uris(data)
    (folder / SPEC).write_text(json.dumps(data, indent=1))  # JSON is YAML
    write_environment(folder, env, server_uris)


def _refuse_local(data: dict[str, Any]) -> None:
    for keys in _LOCATIONS:
        location = _get(data, keys)
        if isinstance(location, str) and is_local(location):
            raise SpecError(
                f"{'.'.join(keys)} is {location!r}, which only this machine can access; give a "
                "URL such as s3://..., or --shared-filesystem if the cluster has the same files"
            )


def _pop_server_uris(data: dict[str, Any]) -> dict[str, str]:
    """Move the URIs that may contain a password from the spec to the environment.

    The environment file is private, and a resumed search reads them there, as its record has no
    passwords.
    """
    return {
        "MLFLOW_TRACKING_URI": data["tracking"].pop("uri"),
        "OPTUNA_STORAGE": data.pop("optuna_storage"),
    }


def _copy_files(data: dict[str, Any], folder: Path) -> None:
    """Copy the files that the spec reads, and make the spec point to the copies."""
    for keys, name in READ_FILES.items():
        source = _get(data, keys)
        if keys == ("space",) and not is_path(source):
            continue  # packaged spaces are in the wheel
        with fsspec.open(source, "rb") as original, (folder / name).open("wb") as copy:
            shutil.copyfileobj(original, copy)
        _set(data, keys, name if keys != ("space",) else f"./{name}")


def _get(data: dict[str, Any], keys: Sequence[str]) -> Any:
    for key in keys:
        data = data[key]
    return data


def _set(data: dict[str, Any], keys: Sequence[str], value: str) -> None:
    for key in keys[:-1]:
        data = data[key]
    data[keys[-1]] = value
