"""Finds spec files, applies overrides and defaults, and makes every path absolute."""

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.locations import absolute, expanded, is_local, is_path
from mixfront.spec.storage import default_storage

Override = tuple[list[str], Any]
READ_KEYS = (("data", "path"), ("data", "schema"), ("space",))  # relative to the spec
DEFAULT_TRACKING = "sqlite:///mixfront.db"
_SQLITE = "sqlite:///"


@dataclass(frozen=True, kw_only=True)
class SpecFile:
    """The location of a spec."""

    location: str  # for error messages
    folder: str  # base of the paths that the spec reads
    text: str | None = None  # content of a packaged spec
    packaged: bool = False


def packaged_specs() -> list[str]:
    """Names of the specs that come with the package."""
    entries = (files("mixfront.spaces") / "specs").iterdir()
    names = [e.name for e in entries if e.name.endswith(".yaml")]
    return sorted(n.removesuffix(".yaml") for n in names if not n.endswith(".schema.yaml"))


def find_spec(source: str) -> SpecFile:
    """Find a spec by path, URL or packaged name.

    Raises:
        UnknownNameError: If a bare name is neither a file nor a packaged spec.
    """
    if "://" in source:
        return SpecFile(location=source, folder=source.rpartition("/")[0])
    if "/" in source or source.endswith((".yaml", ".yml")) or Path(source).is_file():
        return SpecFile(location=source, folder=str(Path(source).resolve().parent))
    folder = files("mixfront.spaces") / "specs"
    resource = folder / f"{source}.yaml"
    if source not in packaged_specs():
        raise UnknownNameError("spec or file", source, packaged_specs())
    return SpecFile(
        location=f"spec {source!r}",
        folder=str(folder),
        text=resource.read_text("utf-8"),
        packaged=True,
    )


def resolve(data: dict[str, Any], overrides: Sequence[Override], spec: SpecFile) -> dict[str, Any]:
    """Apply overrides and the environment's defaults to the raw mapping; make paths absolute.

    Raises:
        SpecError: If an override does not fit, or the study has no storage.
    """
    result = copy.deepcopy(data)
    for key in READ_KEYS:
        _make_absolute(result, key, spec)
    for path, value in overrides:
        is_space = path == ["space"]
        is_read = tuple(path) in READ_KEYS and isinstance(value, str)
        _set(result, path, _from_working_folder(value, is_space=is_space) if is_read else value)
    return _with_locations(result)


def _with_locations(data: dict[str, Any]) -> dict[str, Any]:
    storage = data.get("storage") or default_storage()
    data["storage"] = absolute(storage) if isinstance(storage, str) else storage
    tracking = data.setdefault("tracking", {})
    if isinstance(tracking, dict):
        uri = tracking.get("uri") or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING
        tracking["uri"] = absolute_uri(uri)
    study = data.get("optuna_storage") or os.environ.get("OPTUNA_STORAGE")
    if study is None and isinstance(data.get("name"), str) and isinstance(data["storage"], str):
        study = default_study_url(data["storage"], data["name"])
    data["optuna_storage"] = absolute_uri(study)
    return data


def default_study_url(storage: str, name: str) -> str:
    """URL of a SQLite file in the search's folder.

    Raises:
        SpecError: If the storage is not a local folder, which SQLite needs.
    """
    if not is_local(storage):
        raise SpecError(
            f"SQLite cannot store the study in {storage!r}, which is not a local folder; set "
            f"`optuna_storage:` or OPTUNA_STORAGE, for example to postgresql://HOST/DATABASE"
        )
    return f"{_SQLITE}{storage}/{name}/optuna.db"


def _read_path(value: Any, spec: SpecFile, *, is_space: bool) -> Any:
    if not isinstance(value, str) or (is_space and not is_path(value)):
        return value
    if "://" in value or value.startswith("/"):
        return _from_working_folder(value)
    path = f"{spec.folder}/{value}"
    if spec.packaged and not Path(path).exists():
        return _from_working_folder(value)
    return path if "://" in spec.folder else os.path.normpath(path)


def _from_working_folder(value: Any, *, is_space: bool = False) -> Any:
    if not isinstance(value, str) or (is_space and not is_path(value)):
        return value
    if not is_local(value):
        return value
    return os.path.normpath(Path.cwd() / expanded(value))


def absolute_uri(uri: Any) -> Any:
    """Make SQLite URIs absolute: three slashes mean the working directory, which Ray changes."""
    if not isinstance(uri, str):
        return uri
    path = uri.removeprefix(_SQLITE)
    if uri.startswith(_SQLITE) and path and not path.startswith(("/", ":memory:")):
        return f"{_SQLITE}{Path.cwd() / path}"
    return uri


def _make_absolute(data: dict[str, Any], path: Sequence[str], spec: SpecFile) -> None:
    *parents, last = path
    for key in parents:
        inner = data.get(key)
        if not isinstance(inner, dict):
            return
        data = inner
    if last in data:
        data[last] = _read_path(data[last], spec, is_space=last == "space")


def _set(data: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *parents, last = path
    for depth, key in enumerate(parents):
        inner = data.setdefault(key, {})
        if not isinstance(inner, dict):
            parent = ".".join(path[: depth + 1])
            raise SpecError(
                f"the override of {'.'.join(path)!r} does not fit, because {parent!r} is "
                f"{inner!r}; override {parent!r} itself"
            )
        data = inner
    data[last] = value
