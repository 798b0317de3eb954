"""The files of a job's search: the spec without credentials, the schema and a space of its own."""

import json
from typing import TYPE_CHECKING, Any

import fsspec

from mixfront.cluster.job_package import READ_FILES, SPEC
from mixfront.cluster.kubernetes.options import MOUNT, ManifestOptions
from mixfront.exceptions import SpecError
from mixfront.locations import is_local, is_path, local_path
from mixfront.records.scrub import scrub_text

if TYPE_CHECKING:
    from mixfront.spec.search_spec import SearchSpec

MAX_BYTES = 1_000_000  # of a ConfigMap; Kubernetes refuses more than 1 MiB
_SHARED: tuple[tuple[str, ...], ...] = (("data", "path"), ("storage",))
_SERVERS: dict[tuple[str, ...], str] = {
    ("tracking", "uri"): "MLFLOW_TRACKING_URI",
    ("optuna_storage",): "OPTUNA_STORAGE",
}


def search_files(spec: "SearchSpec", options: ManifestOptions) -> dict[str, str]:
    """The files by name, for a ConfigMap.

    Raises:
        SpecError: If pods cannot access what the spec names, a URI has a password, or the files
            are too large.
    """
    data = spec.dump()
    for keys in _SHARED:
        _check_shared(keys, _get(data, keys))
    for keys, variable in _SERVERS.items():
        _check_server(data, keys, variable, options.driver_secret)
    files = _copies(data)
    files[SPEC] = json.dumps(data, indent=1) + "\n"  # JSON is YAML
    if (size := sum(len(text.encode()) for text in files.values())) > MAX_BYTES:
        raise SpecError(
            f"the spec, schema and space of {spec.name!r} have {size:,} bytes, but a ConfigMap "
            "holds 1 MiB; submit the search to a cluster with `mixfront search submit`"
        )
    return files


def _check_shared(keys: tuple[str, ...], location: str) -> None:
    is_mounted = f"{local_path(location)}/".startswith(f"{MOUNT}/")
    if is_local(location) and not is_mounted:
        raise SpecError(
            f"{'.'.join(keys)} is {location!r}, which pods cannot access; give a URL such as "
            f"s3://..., or with --storage pvc:CLAIM a path below {MOUNT}"
        )
    if scrub_text(location) != location:
        raise SpecError(
            f"{'.'.join(keys)} is {scrub_text(location)!r} with a password, which a manifest must "
            "not have; put the storage's credentials into a Secret and name it with --secret"
        )


def _check_server(
    data: dict[str, Any], keys: tuple[str, ...], variable: str, secret: str | None
) -> None:
    """Remove a server's URI if a Secret has it; refuse one that pods cannot use."""
    *parents, last = keys
    section = _get(data, tuple(parents))
    uri = section[last]
    if secret is not None:
        del section[last]
    elif is_local(uri) or scrub_text(uri) != uri:
        problem = "a file of this machine" if is_local(uri) else "a URI with a password"
        raise SpecError(
            f"{'.'.join(keys)} is {scrub_text(uri)!r}, {problem}; put {variable} into a Secret "
            "and name it with --driver-secret"
        )


def _copies(data: dict[str, Any]) -> dict[str, str]:
    """The contents of the files that the spec reads; the spec is changed to name them."""
    files = {}
    for keys, name in READ_FILES.items():
        section, last = _get(data, keys[:-1]), keys[-1]
        if keys == ("space",) and not is_path(section[last]):
            continue  # packaged spaces are in the image
        with fsspec.open(section[last], "rt", encoding="utf-8") as file:
            files[name] = file.read()
        section[last] = f"./{name}"
    return files


def _get(data: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        data = data[key]
    return data
