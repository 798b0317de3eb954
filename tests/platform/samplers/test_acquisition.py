"""The expected gain equals its definition, integrated numerically."""

import moocore
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixfront.samplers.acquisition import FrontLevels, expected_gain, expected_improvement

Array = npt.NDArray[np.float64]

REFERENCE_VALUE = 0.3
NODES, WEIGHTS = np.polynomial.legendre.leggauss(4000)


def hypervolume(costs: Array, values: Array, reference_costs: Array) -> float:
    """By a peer, which minimises."""
    points = np.column_stack([costs, -values])
    inside = (costs < reference_costs).all(axis=1) & (values > REFERENCE_VALUE)
    if not inside.any():
        return 0.0
    return float(moocore.hypervolume(points[inside], ref=[*reference_costs, -REFERENCE_VALUE]))


def integrated(costs: Array, values: Array, cost: Array, mean: float, deviation: float) -> float:
    """Expected hypervolume gain of a candidate, by quadrature over its value."""
    reference_costs = np.ones(costs.shape[1])
    base = hypervolume(costs, values, reference_costs)
    z = 8.0 * NODES[::20] if deviation else np.zeros(1)
    weights = WEIGHTS[::20] * np.exp(-0.5 * z**2) if deviation else np.ones(1)
    gains = [
        hypervolume(np.vstack([costs, cost]), np.append(values, value), reference_costs) - base
        for value in mean + deviation * z
    ]
    return float(np.dot(weights, gains) / weights.sum())


@st.composite
def fronts(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Costs, values and a candidate's costs: with ties, dominated points, or a single one."""
    count, dims = draw(st.integers(0, 8)), draw(st.integers(1, 3))
    coordinate = st.integers(0, 5).map(lambda i: i / 5)  # few values, so that many are equal
    costs = draw(st.lists(coordinate, min_size=count * dims, max_size=count * dims))
    values = draw(st.lists(coordinate, min_size=count, max_size=count))
    cost = draw(st.lists(st.floats(-0.5, 1.2), min_size=dims, max_size=dims))
    return np.reshape(costs, (count, dims)), np.array(values, dtype=float), np.array(cost)


@settings(deadline=None, max_examples=60)
@given(fronts(), st.floats(0.0, 1.0), st.sampled_from([0.0, 0.01, 0.2, 1.0]))
def test_it_equals_the_integral(
    front: tuple[Array, Array, Array], mean: float, deviation: float
) -> None:
    costs, values, cost = front
    levels = FrontLevels.of_points(costs, values, np.ones(costs.shape[1]), REFERENCE_VALUE)
    [gain] = expected_gain(levels, cost[None], np.array([mean]), np.array([deviation]))
    assert gain == pytest.approx(integrated(costs, values, cost, mean, deviation), abs=2e-3)


def test_a_point_that_is_certain_adds_what_it_dominates() -> None:
    costs, values = np.array([[1.0], [3.0]]), np.array([0.6, 0.8])
    levels = FrontLevels.of_points(costs, values, np.array([4.0]), 0.5)
    gain = expected_gain(levels, np.array([[2.0]]), np.array([0.7]), np.array([0.0]))
    assert gain == pytest.approx([1.0 * (0.7 - 0.6)])


def test_beyond_the_reference_nothing_is_gained() -> None:
    levels = FrontLevels.of_points(np.empty((0, 2)), np.empty(0), np.array([1.0, 1.0]), 0.0)
    costs = np.array([[1.0, 0.5], [0.5, 2.0], [0.5, 0.5]])
    gain = expected_gain(levels, costs, np.ones(3), np.ones(3))
    assert gain[:2] == pytest.approx([0.0, 0.0])
    assert gain[2] > 0


def test_candidates_of_many_cells_are_counted_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    levels = FrontLevels.of_points(rng.random((9, 2)), rng.random(9), np.ones(2), 0.0)
    costs = rng.random((50, 2))
    whole = levels.volumes(costs)
    monkeypatch.setattr("mixfront.samplers.acquisition.MAX_CELLS", 150)
    np.testing.assert_allclose(levels.volumes(costs), whole)
    np.testing.assert_allclose(whole.sum(axis=1), (1 - costs).prod(axis=1))


def test_improvement_without_deviation_is_the_limit() -> None:
    means, level = np.array([0.2, 0.5, 0.9]), np.full(3, 0.5)
    small = expected_improvement(means, np.full(3, 1e-9), level)
    np.testing.assert_allclose(expected_improvement(means, np.zeros(3), level), small, atol=1e-8)
