"""Row filters of a spec, such as `date <= 20260105 and tab in [1, 2]`, as Arrow expressions.

As in SQL, a null matches no comparison except `== null`. NaN matches no comparison with a number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Any

from mixfront.data.comparisons import comparison_expression
from mixfront.data.filter_grammar import Comparison, Node, parse
from mixfront.exceptions import SchemaError, nearest


@dataclass(frozen=True)
class Filter:
    """A parsed filter."""

    text: str
    root: Node

    @property
    def columns(self) -> frozenset[str]:
        """Every column that it reads."""
        return frozenset(comparison.column for comparison in _comparisons(self.root))

    def bind(self, schema: Any) -> Any:
        """The filter as a `pyarrow.compute.Expression` on data of a `pyarrow.Schema`.

        Raises:
            SchemaError: If a column is not in the data; the message names the closest match.
            SpecError: If a literal cannot be compared with its column.
        """
        for column in sorted(self.columns):
            if column not in schema.names:
                raise SchemaError(
                    f"the filter {self.text!r} reads the column {column!r}, which is not in the "
                    f"data: {nearest(column, schema.names)}"
                )
        return _expression(self.root, schema, self.text)


def parse_filter(text: str) -> Filter:
    """Parse a filter.

    Raises:
        SpecError: If it breaks the grammar; the message says where, and what was expected.
    """
    return Filter(text=text, root=parse(text))


def _comparisons(node: Node) -> Iterator[Comparison]:
    if isinstance(node, Comparison):
        yield node
        return
    for part in node.parts:
        yield from _comparisons(part)


def _expression(node: Node, schema: Any, text: str) -> Any:
    if isinstance(node, Comparison):
        return comparison_expression(node, schema.field(node.column), text)
    parts = [_expression(part, schema, text) for part in node.parts]
    return reduce(and_ if node.kind == "and" else or_, parts)
