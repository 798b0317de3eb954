"""What is sent to a cluster: the resolved spec, the files it names, and the environment."""

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
_PLACES = (("data", "path"), ("storage",), ("tracking", "uri"), ("optuna_storage",))
_FILES = {("data", "schema"): "schema.yaml", ("space",): "space.yaml"}


def pack(spec: "SearchSpec", folder: Path, *, env: Sequence[str], shared: bool) -> None:
    """Write into `folder` all that the job finds in its working directory.

    Args:
        spec: The spec, every path absolute.
        folder: An empty folder.
        env: Names of environment variables to send; values are read here.
        shared: Whether the cluster sees the same files as this machine. If it does not, the
            schema and a space of the user's own are sent along.

    Raises:
        SpecError: If the spec names a place that the cluster cannot see.
        UsageError: If an environment variable is not set.
    """
    data = spec.dump()
    if not shared:
        _refuse_local(data)
        _send_files(data, folder)
    servers = _take_servers(data)
    (folder / SPEC).write_text(json.dumps(data, indent=1))  # JSON is YAML
    write_environment(folder, env, servers)


def _refuse_local(data: dict[str, Any]) -> None:
    for keys in _PLACES:
        place = _get(data, keys)
        if isinstance(place, str) and is_local(place):
            raise SpecError(
                f"{'.'.join(keys)} is {place!r}, which only this machine sees: give a URL such "
                "as s3://..., or --shared-filesystem if the cluster sees the same files"
            )


def _take_servers(data: dict[str, Any]) -> dict[str, str]:
    """Move the URIs that may hold a password from the spec to the environment.

    There the file is private; and a resumed search, whose record holds no password, finds them.
    """
    return {
        "MLFLOW_TRACKING_URI": data["tracking"].pop("uri"),
        "OPTUNA_STORAGE": data.pop("optuna_storage"),
    }


def _send_files(data: dict[str, Any], folder: Path) -> None:
    """Copy what the spec reads beside it, and name it so."""
    for keys, name in _FILES.items():
        source = _get(data, keys)
        if keys == ("space",) and not is_path(source):
            continue  # packaged: the wheel has it
        with fsspec.open(source, "rb") as theirs, (folder / name).open("wb") as ours:
            shutil.copyfileobj(theirs, ours)
        _set(data, keys, name if keys != ("space",) else f"./{name}")


def _get(data: dict[str, Any], keys: Sequence[str]) -> Any:
    for key in keys:
        data = data[key]
    return data


def _set(data: dict[str, Any], keys: Sequence[str], value: str) -> None:
    for key in keys[:-1]:
        data = data[key]
    data[keys[-1]] = value
