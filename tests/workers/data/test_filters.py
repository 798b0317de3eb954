"""Filters on data: the rows that they select, compared with plain Python."""

import operator
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixfront.data.filter_grammar import Junction, Node
from mixfront.data.filters import parse_filter
from mixfront.exceptions import SchemaError

ROWS = [
    {"n": n, "f": f, "t": t, "b": b}
    for n in (-1, 0, 2, 3)
    for f in (0.5, 2.0, None)
    for t in ("a", "it's", None)
    for b in (True, False)
]
TABLE = pa.Table.from_pylist(
    ROWS,
    schema=pa.schema({"n": pa.int8(), "f": pa.float32(), "t": pa.string(), "b": pa.bool_()}),
)
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(node: Node, row: dict[str, Any]) -> bool:
    """The filter on one row, in plain Python, nulls as in SQL (no `not` in the grammar)."""
    if isinstance(node, Junction):
        return (all if node.kind == "and" else any)(holds(part, row) for part in node.parts)
    value = row[node.column]
    if node.values == (None,):
        return (value is None) == (node.operator == "==")
    if value is None:
        return False
    if node.operator == "in":
        return value in node.values
    return OPERATORS[node.operator](value, node.values[0])


def comparisons(column: str, literals: list[str]) -> st.SearchStrategy[str]:
    one = st.builds(
        lambda op, literal: f"{column} {op} {literal}",
        st.sampled_from(list(OPERATORS)),
        st.sampled_from(literals),
    )
    several = st.lists(st.sampled_from(literals), min_size=1, max_size=3).map(
        lambda chosen: f"{column} in [{', '.join(chosen)}]"
    )
    nulls = st.sampled_from([f"{column} == null", f"{column} != null"])
    return one | several | nulls


LEAVES = (
    comparisons("n", ["-1", "0", "2", "2.5", "1000", "-0.5"])
    | comparisons("f", ["0.5", "2", "-3", "1e3"])
    | comparisons("t", ["'a'", '"it\'s"', "'zz'"])
    | st.sampled_from(["b == true", "b != false", "b == 1", "b in [0]"])
)
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda a, word, b: f"({a}) {word} {b}", inner, st.sampled_from(["and", "or"]), inner
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(FILTERS)
def test_selects_the_rows_that_python_selects(text: str) -> None:
    row_filter = parse_filter(text)
    selected = TABLE.filter(row_filter.bind(TABLE.schema)).to_pylist()
    assert selected == [row for row in ROWS if holds(row_filter.root, row)]


def test_it_lists_the_columns_that_it_reads() -> None:
    assert parse_filter("n >= 2 and (t == 'a' or n in [1, 2])").columns == {"n", "t"}


def test_a_missing_column_names_the_nearest() -> None:
    schema = pa.schema([("date", pa.int64()), ("user", pa.string())])
    with pytest.raises(SchemaError, match="did you mean 'date'"):
        parse_filter("dat <= 3").bind(schema)
