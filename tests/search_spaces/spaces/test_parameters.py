"""Parameters of a space: parsing, conditions and allowed values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mixfront.spaces.parameters import Choice, Fixed, Float, Int, Parameter, contains, describe

PARAMETER: TypeAdapter[Fixed | Choice | Int | Float] = TypeAdapter(Parameter)


@pytest.mark.parametrize("value", [16, 0.5, "linear", True, None])
def test_a_bare_scalar_is_fixed(value: Any) -> None:
    assert PARAMETER.validate_python(value) == Fixed(value=value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "choice", "values": []}, "at least 1 item"),
        ({"kind": "choice", "values": [1, 1]}, "appears twice"),
        ({"kind": "choice", "values": ["a"], "divides": ["b"]}, "positive integers"),
        (
            {"kind": "choice", "values": [1], "only_with": {2: {"b": [1]}}},
            "names 2, which is not one of the values",
        ),
        ({"kind": "int", "low": 3, "high": 1}, "low 3 is greater than high 1"),
        ({"kind": "int", "low": 1, "high": 4, "step": 2}, "must be a multiple of step 2"),
        ({"kind": "int", "low": 1, "high": 4, "step": 3, "log": True}, "cannot be combined"),
        ({"kind": "float", "low": 0, "high": 1, "log": True}, "greater than 0 with `log: true`"),
        ({"kind": "float", "low": 0, "hihg": 1}, "Field required"),
        ({"kind": "normal"}, "does not match any of the expected tags"),
    ],
)
def test_an_invalid_parameter_is_refused(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PARAMETER.validate_python(data)


@given(st.integers(1, 64), st.integers(1, 64), st.sets(st.integers(1, 64), min_size=1))
def test_divides_allows_only_divisors(tokens: int, width: int, sizes: set[int]) -> None:
    choice = Choice(values=tuple(sorted(sizes)), divides=("tokens", "width"))
    narrowed = choice.narrowed({"tokens": tokens, "width": width})
    expected = [size for size in sorted(sizes) if tokens * width % size == 0]
    assert (list(narrowed.values) if narrowed else []) == expected


def test_multiple_of_allows_only_multiples() -> None:
    choice = Choice(values=(16, 24, 32), multiple_of=("tokens",))
    assert choice.narrowed({"tokens": 8}) == choice
    narrowed = choice.narrowed({"tokens": 16})
    assert narrowed is not None
    assert narrowed.values == (16, 32)
    assert choice.narrowed({"tokens": 64}) is None


def test_only_with_allows_a_value_only_if_its_condition_holds() -> None:
    choice = Choice(
        values=(0, 4, 8),
        only_with={0: {"pattern": ("fm",)}, 4: {"pattern": ("dense", "free"), "size": (1, 2)}},
    )
    assert choice.needs == ("pattern", "size")
    narrowed = {
        (pattern, size): choice.narrowed({"pattern": pattern, "size": size})
        for pattern in ("fm", "dense")
        for size in (2, 3)
    }
    values = {key: choice.values for key, choice in narrowed.items() if choice is not None}
    assert values == {
        ("fm", 2): (0, 8), ("fm", 3): (0, 8), ("dense", 2): (4, 8), ("dense", 3): (8,),
    }  # fmt: skip
    assert Choice(values=(0,), only_with={0: {"size": (1,)}}).narrowed({"size": 2}) is None


def test_a_choice_is_not_narrowed_before_its_conditions_are_known() -> None:
    choice = Choice(values=(3, 4), divides=("tokens",))
    assert choice.narrowed({}) is choice


@pytest.mark.parametrize(
    ("parameter", "inside", "outside"),
    [
        (Fixed(value=3), 3, 4),
        (Choice(values=("a", "b")), "a", "c"),
        (Int(low=2, high=8, step=2), 4, 5),
        (Int(low=2, high=8), 8, 9),
        (Float(low=0.1, high=1.0), 0.5, 0.05),
        (Float(low=0.0, high=1.0), 1, True),
        (Float(low=0.0, high=1.0), 0, "0.5"),
    ],
)
def test_a_parameter_contains_only_allowed_values(
    parameter: Fixed | Choice | Int | Float, inside: Any, outside: Any
) -> None:
    assert contains(parameter, inside)
    assert not contains(parameter, outside)
    assert describe(parameter)
