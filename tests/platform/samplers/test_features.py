"""Columns of conditional configurations."""

import numpy as np
import pytest

from mixfront.samplers.candidates import Known
from mixfront.samplers.features import ABSENT, Category, Number, SpaceColumns


def known(cost: float, **features: object) -> Known:
    return Known(costs=(cost,), features=features)


def test_numbers_use_the_scale_that_spreads_them() -> None:
    space = SpaceColumns.of_space(
        [known(0.0, lr=10.0**-i, dim=16 * i, same=3) for i in range(1, 6)]
    )
    assert {(c.name, isinstance(c, Number) and c.log) for c in space.features} == {
        ("lr", True),
        ("dim", False),
    }


def test_rows_are_between_0_and_1_also_outside_the_examples() -> None:
    space = SpaceColumns.of_space([known(1.0, x=1, y="a"), known(3.0, x=9, y="b")])
    rows = space.rows([known(1.0, x=0, y="a"), known(3.0, x=100, y="b"), known(2.0, y="c")])
    np.testing.assert_allclose(rows[:, 0], [0.0, 1.0, ABSENT])
    np.testing.assert_allclose(rows[:, 1], [0.0, 1.0, 0.0])
    np.testing.assert_allclose(rows[:, 2], [0.0, 1.0, 0.5])


def test_other_values_have_a_column_each_and_two_share_one() -> None:
    three = SpaceColumns.of_space([known(0.0, f=f) for f in ("a", "b", "c")])
    assert three.features == (Category("f", "a"), Category("f", "b"), Category("f", "c"))
    two = SpaceColumns.of_space([known(0.0, f=f) for f in (True, False)])
    assert two.features == (Category("f", False),)


def test_fidelity_counts_in_halvings() -> None:
    space = SpaceColumns.of_space([known(0.0), known(1.0)])
    rows = space.rows([known(0.0)] * 3, np.array([1.0, 0.5, 1e-6]))
    np.testing.assert_allclose(rows[:, -1], [1.0, 0.8, 0.0])


def test_the_most_expensive_configuration_lies_below_the_reference() -> None:
    assert SpaceColumns.of_space([known(2.0), known(4.0)]).reference_costs > 4.0
    assert SpaceColumns.of_space([known(2.0)]).reference_costs == pytest.approx([2.05])
