"""Reads and writes space files: packaged ones by name, others by path, composed by `include:`."""

from importlib.resources import files
from typing import Any

import fsspec
import yaml
from pydantic import BaseModel, ConfigDict

from mixfront.config_file import parse_yaml, read_yaml, validate
from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.locations import is_path
from mixfront.models import get_family
from mixfront.spaces.keys import FAMILY, check_key
from mixfront.spaces.parameters import Choice, Fixed, Float, Int, Parameter, is_positive_integer
from mixfront.spaces.space import Space

Parameters = dict[str, Fixed | Choice | Int | Float]


class SpaceFile(BaseModel):
    """The content of one YAML file.

    name       by default, the name of the file
    include    spaces to take families and shared parameters from: packaged names or paths
    families   parameters by family; they extend and override the included ones
    shared     parameters of every family
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    description: str = ""
    include: tuple[str, ...] = ()
    families: dict[str, dict[str, Parameter]] = {}
    shared: dict[str, Parameter] = {}


def load_space(name_or_path: str) -> Space:
    """Load a packaged space by its bare name, or a space file by path or URL.

    Raises:
        UnknownNameError: If a bare name is not a packaged space, or a family does not exist.
        SpecError: If the file is invalid; the message names the key.
    """
    space = _compose(name_or_path, _name_of(name_or_path), ())
    if not space.families:
        raise SpecError(f"space {name_or_path!r} has no family; add one under `families:`")
    for family in space.families:
        _check_family(space, family, name_or_path)
    return space


def save_space(space: Space, url: str) -> None:
    """Write a space to a file, from which `load_space` gives an equal one."""
    data = {
        "name": space.name,
        "families": {family: _dump(own) for family, own in space.families.items()},
        "shared": _dump(space.shared),
    }
    with fsspec.open(url, "w", encoding="utf-8", auto_mkdir=True) as file:
        yaml.safe_dump(data, file, sort_keys=False)


def packaged_spaces() -> list[str]:
    """Names of the packaged spaces that have at least one family."""
    names = [
        entry.name.removesuffix(".yaml")
        for entry in files(__package__).iterdir()
        if entry.name.endswith(".yaml")
    ]
    return sorted(name for name in names if _compose(name, name, ()).families)


def _compose(reference: str, name: str, seen: tuple[str, ...]) -> Space:
    if reference in seen:
        chain = " > ".join((*seen, reference))
        raise SpecError(f"space {reference!r} includes itself ({chain}); remove an `include:`")
    file = _read(reference)
    families: dict[str, Parameters] = {}
    shared: Parameters = {}
    for other in file.include:
        part = _compose(_relative_to(reference, other), _name_of(other), (*seen, reference))
        conflicts = [k for k in part.shared if k in shared and shared[k] != part.shared[k]]
        if unresolved := [key for key in conflicts if key not in file.shared]:
            raise SpecError(
                f"space {reference!r} includes conflicting definitions of {unresolved[0]!r}; "
                f"define it under `shared:`"
            )
        shared |= part.shared
        families = _merged(families, part.families)
    families = _merged(families, {family: dict(own) for family, own in file.families.items()})
    return Space(name=file.name or name, families=families, shared=shared | file.shared)


def _merged(base: dict[str, Parameters], update: dict[str, Parameters]) -> dict[str, Parameters]:
    return base | {family: base.get(family, {}) | own for family, own in update.items()}


def _read(reference: str) -> SpaceFile:
    if is_path(reference):
        return validate(SpaceFile, read_yaml(reference, SpecError) or {}, reference, SpecError)
    resource = files(__package__) / f"{reference}.yaml"
    if not resource.is_file():
        raise UnknownNameError("space", reference, packaged_spaces())
    source = f"space {reference!r}"
    data: Any = parse_yaml(resource.read_text("utf-8"), source, SpecError)
    return validate(SpaceFile, data, source, SpecError)


def _check_family(space: Space, family: str, source: str) -> None:
    own = space.families[family]
    order = [key for key in space.shared if key not in own] + list(own)
    get_family(family)  # raises if it is unknown
    for position, key in enumerate(order):
        if key == FAMILY:
            raise SpecError(
                f"space {source!r}: 'family' is not a parameter; list families under `families:`"
            )
        check_key(key, family, f"space {source!r}")
        parameter = own.get(key, space.shared.get(key))
        for other in parameter.needs if isinstance(parameter, Choice) else ():
            if other not in order[:position]:
                raise SpecError(
                    f"space {source!r}: {key!r} of family {family!r} refers to {other!r}, "
                    f"which is not defined before it; move or add {other!r}"
                )
        for other in parameter.factors if isinstance(parameter, Choice) else ():
            if not is_positive_integer(own.get(other) or space.shared[other]):
                raise SpecError(
                    f"space {source!r}: {key!r} of family {family!r} divides or is a multiple of "
                    f"{other!r}, which is not always a positive integer; change {other!r}"
                )


def _relative_to(reference: str, other: str) -> str:
    """Resolve an included path relative to the file that includes it."""
    if not is_path(reference) or not is_path(other) or other.startswith("/") or "://" in other:
        return other
    folder = reference.rpartition("/")[0]
    return f"{folder}/{other}" if folder else other


def _dump(parameters: Parameters) -> dict[str, Any]:
    return {
        key: _plain(p.model_dump(exclude_defaults=True) | {"kind": p.kind})
        for key, p in parameters.items()
    }


def _plain(value: Any) -> Any:
    """The value with lists in place of tuples, which YAML lacks.

    JSON has no tuples either, but would turn the keys of `only_with` into strings.
    """
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _name_of(reference: str) -> str:
    return reference.rpartition("/")[2].removesuffix(".yaml").removesuffix(".yml")
