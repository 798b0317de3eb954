"""Reads YAML files into typed config, with a safe loader and one-sentence errors."""

import datetime as dt
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
_MAX_DEPTH = 50  # of nested lists and mappings
_MAX_VALUES = 100_000  # in one file, where an alias counts as what it repeats
_TOO_DEEP = f"lists and mappings are nested more than {_MAX_DEPTH} deep"
_PLAIN = (bool, int, float, str, dt.date, type(None))


class _StrictLoader(yaml.SafeLoader):
    """Loads plain data only, reads `1e6` as a number, and refuses repeated keys."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            mark = self.get_mark()
            raise yaml.composer.ComposerError(None, None, _TOO_DEEP, mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, AttributeError, TypeError):  # 2001-99-99, `!!bool x`
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"{_shortened(node.value)} is not a valid {kind}", node.start_mark
            ) from None

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
        data = yaml.load(text, Loader=_StrictLoader)  # a SafeLoader; the tests check it
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        reason = getattr(problem, "problem", None) or str(problem)
        raise error(f"{source}{line}: {reason}; write plain YAML") from None
    if (fault := _not_plain(data)) is not None:
        raise error(f"{source}: {fault}; write plain YAML")
    return data


def _not_plain(data: Any) -> str | None:
    """What is in the data that JSON could not hold; None if it is plain.

    Aliases are only references, so that a short file may hold billions of values, or itself.
    """
    level, count = [data], 0
    for _ in range(_MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += [*value.keys(), *value.values()]
            elif isinstance(value, list):
                inner += value
            elif not isinstance(value, _PLAIN):
                return f"{_shortened(value)} is not text, a number, a date, a list or a mapping"
            elif isinstance(value, str) and not value.isascii() and _has_surrogates(value):
                return f"{_shortened(value)} is not valid Unicode"
        level, count = inner, count + len(inner)
        if not level:
            return None
        if count > _MAX_VALUES:
            return f"it has more than {_MAX_VALUES:,} values"
    return _TOO_DEEP


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


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
    except (ValueError, ImportError, LookupError) as problem:  # no such file system, a null byte
        if not isinstance(problem, UnicodeDecodeError):
            raise error(f"cannot read {url!r}: {problem}; check the path or URL") from None
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
    return f"{path!r} is {_shortened(detail['input'])}: {message}" if path else message


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[:_MAX_VALUE_LENGTH]} ..."


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
