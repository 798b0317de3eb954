"""Reads YAML files into typed config, with a safe loader and one-sentence errors."""

import re
from collections.abc import Hashable
from typing import Any, TypeVar

import fsspec
import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mixfront.exceptions import UsageError, nearest

M = TypeVar("M", bound=BaseModel)
_MAX_VALUE_LENGTH = 80  # error messages truncate longer values


class _StrictLoader(yaml.SafeLoader):
    """Loads plain data only, reads `1e6` as a number, and refuses repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} appears twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 1e6 and 5e11 as text, because it requires a dot and a signed exponent.
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def parse_yaml(text: str, source: str, error: type[UsageError]) -> Any:
    """Parse YAML text into plain data.

    Raises:
        UsageError: Of class `error`, if it is not YAML, repeats a key, or tries to run code.
    """
    try:
        return yaml.load(text, Loader=_StrictLoader)  # a SafeLoader; the tests check it
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        reason = getattr(problem, "problem", None) or str(problem)
        raise error(f"{source}{line}: {reason}; write plain YAML") from None


def read_yaml(url: str, error: type[UsageError]) -> Any:
    """Read the YAML file at a path or fsspec URL into plain data.

    Raises:
        UsageError: Of class `error`, if it cannot be read or is not plain YAML.
    """
    try:
        with fsspec.open(url, "r") as file:
            text = file.read()
    except OSError as problem:
        raise error(f"cannot read {url}: {problem.strerror or problem}; check the path") from None
    except UnicodeDecodeError:
        raise error(f"{url} is not a text file; give a YAML file") from None
    return parse_yaml(text, url, error)


def validate(model: type[M], data: Any, source: str, error: type[UsageError]) -> M:
    """Validate plain data into a typed config.

    Raises:
        UsageError: Of class `error`; one sentence about the first mistake. For an unknown key
            it names the nearest valid key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        raise error(f"{source}: {_sentence(model, problem.errors()[0])}") from None


def _sentence(model: type[BaseModel], detail: ErrorDetails) -> str:
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        keys = _valid_keys(model, detail["loc"][:-1])
        return f"unknown key {path!r}: {nearest(str(detail['loc'][-1]), keys)}"
    if detail["type"] == "missing":
        return f"{path!r} is missing; add it"
    message = detail["msg"].removeprefix("Value error, ")
    value = repr(detail["input"])
    if len(value) > _MAX_VALUE_LENGTH:
        value = value[:_MAX_VALUE_LENGTH] + " ..."
    return f"{path!r} is {value}: {message}" if path else message


def _valid_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys of the model at `path`; for a union, the keys of all its members."""
    models = [model]
    for part in path:
        fields = [m.model_fields[part] for m in models if part in m.model_fields]
        inner_models = [inner for f in fields for inner in _models_in(f.annotation)]
        models = inner_models or models  # list indices and union tags are not fields
    return sorted({name for m in models for name in m.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for arg in getattr(annotation, "__args__", ()) for inner in _models_in(arg)]
