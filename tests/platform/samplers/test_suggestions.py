"""Stand-ins for trials stay inside the space."""

from typing import Any

import numpy as np
import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from mixfront.samplers.suggestions import Neighbour, Repeated, Suggestions, from_unit, to_unit


def suggest(trial: Any) -> dict[str, Any]:
    config = {
        "lr": trial.suggest_float("lr", 1e-4, 1e-1, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5, step=0.1),
        "blocks": trial.suggest_int("blocks", 1, 8),
        "rank": trial.suggest_int("rank", 4, 64, log=True),
        "dim": trial.suggest_int("dim", 16, 64, step=16),
        "norm": trial.suggest_categorical("norm", ["rms", "layer"]),
    }
    if config["norm"] == "rms":
        config["eps"] = trial.suggest_float("eps", 0.0, 1.0)
    return config


def assert_inside(drawn: Suggestions) -> None:
    assert drawn.params.keys() == drawn.distributions.keys()
    for name, distribution in drawn.distributions.items():
        assert distribution._contains(distribution.to_internal_repr(drawn.params[name]))


def test_random_ones_cover_the_space() -> None:
    rng = np.random.default_rng(0)
    drawn = [Suggestions(rng) for _ in range(300)]
    configs = [suggest(one) for one in drawn]
    for one in drawn:
        assert_inside(one)
    assert {config["blocks"] for config in configs} == set(range(1, 9))
    assert {config["dim"] for config in configs} == {16, 32, 48, 64}
    assert 0.4 < np.mean([config["lr"] < 1e-2 for config in configs]) < 0.9  # logarithmic: 2/3


def test_a_parameter_is_picked_once() -> None:
    drawn = Suggestions(np.random.default_rng(0))
    assert drawn.suggest_float("x", 0, 1) == drawn.suggest_float("x", 0, 1)


def test_a_repeated_configuration_is_the_same() -> None:
    first = Suggestions(np.random.default_rng(0))
    config = suggest(first)
    again = Repeated(first.params, np.random.default_rng(1), {"a": 1})
    assert suggest(again) == config
    assert again.user_attrs == {"a": 1}


def test_what_a_parent_lacks_or_has_outside_the_space_is_random() -> None:
    drawn = Repeated({"x": 7.0}, np.random.default_rng(0))
    assert 0 <= drawn.suggest_float("x", 0, 1) <= 1
    assert drawn.suggest_categorical("y", ["a"]) == "a"


def test_neighbours_keep_most_and_stay_inside() -> None:
    rng = np.random.default_rng(0)
    parent = Suggestions(rng)
    suggest(parent)
    kept, total = 0, 0
    for _ in range(200):
        near = Neighbour(parent.params, rng)
        suggest(near)
        assert_inside(near)
        kept += sum(
            near.params[name] == value
            for name, value in parent.params.items()
            if name in near.params
        )
        total += len(parent.params)
    assert 0.6 < kept / total < 0.9


@pytest.mark.parametrize(
    "distribution",
    [
        FloatDistribution(0.1, 10.0, log=True),
        FloatDistribution(-1.0, 1.0),
        IntDistribution(3, 30, step=3),
        IntDistribution(2, 64, log=True),
        IntDistribution(5, 5),
    ],
)
def test_places_in_a_range_go_back_and_forth(distribution: Any) -> None:
    for unit in (0.0, 0.3, 1.0, -2.0, 5.0):
        value = from_unit(distribution, unit)
        assert distribution._contains(distribution.to_internal_repr(value))
        assert from_unit(distribution, to_unit(distribution, value)) == pytest.approx(value)
