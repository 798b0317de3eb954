"""YAML files into typed config: a safe loader, and errors that fit one sentence."""

import re
from collections.abc import Hashable
from typing import Any, TypeVar

import fsspec
import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mixfront.exceptions import UsageError, nearest

M = TypeVar("M", bound=BaseModel)
_LONGEST = 80  # characters of a wrong value that are told


class _StrictLoader(yaml.SafeLoader):
    """Plain data only, `1e6` is a number, and a key may stand once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 1e6 and 5e11 as text: it wants a dot and a signed exponent.
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_yaml(text: str, source: str, error: type[UsageError]) -> Any:
    """YAML text as plain data.

    Raises:
        UsageError: As `error`, if it is no YAML, repeats a key, or tries to run code.
    """
    try:
        return yaml.load(text, Loader=_StrictLoader)  # a SafeLoader; the tests hold it to that
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        what = getattr(problem, "problem", None) or str(problem)
        raise error(f"{source}{where}: {what}; plain YAML is expected") from None


def read_yaml(url: str, error: type[UsageError]) -> Any:
    """The YAML file at a path or fsspec URL, as plain data.

    Raises:
        UsageError: As `error`, if it cannot be read or is not plain YAML.
    """
    try:
        with fsspec.open(url, "r") as file:
            text = file.read()
    except OSError as problem:
        raise error(f"cannot read {url}: {problem.strerror or problem}; check the path") from None
    except UnicodeDecodeError:
        raise error(f"{url} is not text; plain YAML is expected") from None
    return parse_yaml(text, url, error)


def validate(model: type[M], data: Any, source: str, error: type[UsageError]) -> M:
    """Plain data as a typed config.

    Raises:
        UsageError: As `error`, one sentence on the first thing that is wrong; an unknown key
            comes with the nearest known one.
    """
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        raise error(f"{source}: {_sentence(model, problem.errors()[0])}") from None


def _sentence(model: type[BaseModel], detail: ErrorDetails) -> str:
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        keys = _known_keys(model, detail["loc"][:-1])
        return f"unknown key {path!r}: {nearest(str(detail['loc'][-1]), keys)}"
    if detail["type"] == "missing":
        return f"{path!r} is missing; add it"
    message = detail["msg"].removeprefix("Value error, ")
    given = repr(detail["input"])
    told = given if len(given) <= _LONGEST else given[:_LONGEST] + " ..."
    return f"{path!r} is {told}: {message}" if path else message


def _known_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Keys of the model that `path` leads to; of all members where a union stands there."""
    models = [model]
    for part in path:
        fields = [m.model_fields[part] for m in models if part in m.model_fields]
        found = [inner for f in fields for inner in _models_in(f.annotation)]
        models = found or models  # an index or a union's tag names no field
    return sorted({name for m in models for name in m.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for arg in getattr(annotation, "__args__", ()) for inner in _models_in(arg)]
