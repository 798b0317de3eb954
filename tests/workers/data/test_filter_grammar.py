"""The grammar of filters: what it accepts, and where it reports errors."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixfront.data.filter_grammar import MAX_LIST, MAX_LITERALS, Comparison, Junction, parse
from mixfront.exceptions import SpecError


def test_and_binds_tighter_than_or() -> None:
    a, b, c = (Comparison(name, "==", (1,)) for name in "abc")
    assert parse("a == 1 or b == 1 and c == 1") == Junction("or", (a, Junction("and", (b, c))))
    assert parse("(a == 1 or b == 1) and c == 1") == Junction("and", (Junction("or", (a, b)), c))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("x == 3", (3,)),
        ("x == -3.5e2", (-350.0,)),
        ("x == .5", (0.5,)),
        (r"x == 'it\'s'", ("it's",)),
        ('x == "a b"', ("a b",)),
        ("x == TRUE", (True,)),
        ("x != null", (None,)),
        ("x in [1, 2]", (1, 2)),
        ("x in ('a',\n 'b')", ("a", "b")),
        ("x in [false]", (False,)),
    ],
)
def test_literals(text: str, values: tuple[object, ...]) -> None:
    node = parse(text)
    assert isinstance(node, Comparison)
    assert node.values == values
    assert [type(v) for v in node.values] == [type(v) for v in values]


def test_unusual_column_names_go_in_backquotes() -> None:
    assert parse("`user id` == 1 and a.b == 2") == Junction(
        "and", (Comparison("user id", "==", (1,)), Comparison("a.b", "==", (2,)))
    )


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 1, "expected a column"),
        ("date", 5, "expected one of ==, !=, <"),
        ("date = 3", 6, "equality is `==`"),
        ("date == ", 9, "expected a number"),
        ("date == today", 9, "put text in quotes"),
        ("date == 3 4", 11, "expected `and`, `or` or the end"),
        ("date == 3 and", 14, "expected a column"),
        ("(date == 3", 11, "expected `)`"),
        ("date == 3)", 10, "expected `and`, `or` or the end"),
        ("3 == date", 1, "expected a column"),
        ("x in 3", 6, "expected a list"),
        ("x in []", 7, "expected a number"),
        ("x in [1, 2)", 11, "expected `]`"),
        ("x in [null]", 7, "null is not allowed in a list"),
        ("x < null", 5, "null can only follow"),
        ("x == 99999999999999999999", 6, "does not fit in 64 bits"),
        ("x == 'open", 6, "unexpected character"),
        ("__import__('os').system('ls')", 17, "unexpected character"),
        ("x == 1; y == 2", 7, "unexpected character"),
        ("not x == 1", 5, "expected one of"),
    ],
)
def test_errors_give_the_position_and_the_text(text: str, position: int, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert f"position {position}," in str(caught.value)
    assert message in str(caught.value)
    assert repr(text) in str(caught.value)


def test_deep_nesting_is_refused_without_running_out_of_stack() -> None:
    with pytest.raises(SpecError, match="parentheses"):
        parse("(" * 5000 + "x == 1" + ")" * 5000)
    assert parse("(" * 50 + "x == 1" + ")" * 50) == Comparison("x", "==", (1,))


def test_many_parentheses_side_by_side_are_fine() -> None:
    node = parse(" or ".join(["(x == 1)"] * 200))
    assert isinstance(node, Junction)
    assert len(node.parts) == 200


def test_long_lists_are_refused() -> None:
    with pytest.raises(SpecError, match="the list has more than"):
        parse(f"x in [{', '.join(['1'] * (MAX_LIST + 1))}]")


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with contextlib.suppress(SpecError):
        parse(text)


def test_a_filter_too_long_for_arrows_stack_is_refused() -> None:
    """20,000 comparisons crashed the process."""
    parse(" or ".join(["x == 1"] * MAX_LITERALS))
    with pytest.raises(SpecError, match="more than 2000 literals"):
        parse(" or ".join(["x == 1"] * (MAX_LITERALS + 1)))


def test_an_integer_too_long_for_python_is_refused() -> None:
    with pytest.raises(SpecError, match="does not fit in 64 bits"):
        parse(f"x == {'9' * 5000}")
