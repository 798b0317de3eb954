"""Row filters of a spec, such as `date <= 20260105 and tab in [1, 2]`, as Arrow expressions.

As in SQL a null meets no comparison, except `== null` and `!= null`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mixfront.data.filter_grammar import Comparison, Junction, Node, Value, parse
from mixfront.exceptions import SchemaError, SpecError, nearest

_OPERATORS: dict[str, Any] = {
    "==": lambda column, value: column == value,
    "!=": lambda column, value: column != value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
}


@dataclass(frozen=True)
class Filter:
    """A parsed filter."""

    text: str
    root: Node

    @property
    def columns(self) -> frozenset[str]:
        """Every column that it reads."""
        return frozenset(part.column for part in _comparisons(self.root))

    @property
    def expression(self) -> Any:
        """The filter as a `pyarrow.compute.Expression`, literals as they are written."""
        return _expression(self.root, None, self.text)

    def bind(self, schema: Any) -> Any:
        """The filter as an expression whose literals have the types of the data's columns.

        Args:
            schema: A `pyarrow.Schema`.

        Raises:
            SchemaError: If a column is not in the data; names the nearest.
            SpecError: If a literal cannot be compared with its column.
        """
        for column in sorted(self.columns):
            if column not in schema.names:
                raise SchemaError(
                    f"the filter {self.text!r} reads a column {column!r} that the data has not: "
                    f"{nearest(column, schema.names)}"
                )
        return _expression(self.root, schema, self.text)


def parse_filter(text: str) -> Filter:
    """The filter that `text` says.

    Raises:
        SpecError: If it does not follow the grammar; gives the position and what was expected.
    """
    return Filter(text=text, root=parse(text))


def _comparisons(node: Node) -> Iterator[Comparison]:
    if isinstance(node, Comparison):
        yield node
        return
    for part in node.parts:
        yield from _comparisons(part)


def _expression(node: Node, schema: Any, text: str) -> Any:
    if isinstance(node, Junction):
        parts = [_expression(part, schema, text) for part in node.parts]
        return reduce(and_ if node.kind == "and" else or_, parts)
    values = node.values
    if schema is not None:
        values = tuple(_typed(v, schema.field(node.column), text) for v in values)
    column = pc.field(node.column)
    if node.values == (None,):
        return column.is_null() if node.operator == "==" else column.is_valid()
    if node.operator == "in":
        return reduce(or_, [column == value for value in values])
    return _OPERATORS[node.operator](column, values[0])


def _typed(value: Value, field: Any, text: str) -> Any:
    """A literal as something that Arrow compares with a column of `field`'s type."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if value is None:
        return None
    if pa.types.is_boolean(kind) and value in (0, 1) and not isinstance(value, str):
        return bool(value)
    if _is_number(kind) and not isinstance(value, str):
        return int(value) if isinstance(value, bool) else value
    if _is_text(kind) and isinstance(value, str):
        return value
    if pa.types.is_temporal(kind) and isinstance(value, str):
        try:
            return pa.scalar(value).cast(kind)
        except pa.ArrowInvalid:
            pass
    raise SpecError(
        f"the filter {text!r} compares the column {field.name!r} ({kind}) with {value!r}; "
        f"write {_example(kind)}"
    )


def _is_number(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _example(kind: Any) -> str:
    if _is_text(kind):
        return "text in quotes"
    if pa.types.is_temporal(kind):
        return "a time in quotes, such as '2026-01-31'"
    if _is_number(kind):
        return "a number"
    return "true or false" if pa.types.is_boolean(kind) else "a filter on another column"
