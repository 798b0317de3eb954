"""Costs of configurations, counted before they get a lane."""

from typing import Any

import pytest

from mixfront.data.batch import FeatureLayout, FieldLayout
from mixfront.exceptions import SpecError
from mixfront.models import count_cost, make_config
from mixfront.search.cost_check import ModelCosts, costs_if_buildable
from mixfront.training.config import TrainingConfig

FLAT = {"family": "rankmixer", "num_tokens": 4, "token_dim": 8, "num_blocks": 1, "optimizer.lr": 1}


def test_costs_are_those_of_the_model() -> None:
    config = make_config("rankmixer", {"num_tokens": 4, "token_dim": 8, "num_blocks": 1})
    assert ModelCosts(TrainingConfig())(FLAT) == count_cost("rankmixer", config).metrics()


@pytest.mark.parametrize(
    ("parts", "counted"),
    [
        ({}, False),
        ({"constraints": {"activation_mb": "<= 500"}}, True),
        ({"objectives": ["auc", "activation_mb"]}, True),
    ],
)
def test_activations_are_counted_only_if_a_search_uses_them(
    make_spec: Any, parts: dict[str, object], counted: bool
) -> None:
    costs = ModelCosts.of_spec(make_spec(**parts))(FLAT)
    assert ("activation_mb" in costs) is counted
    assert costs["params"] > 0


def test_activation_memory_can_be_checked_before_training(make_spec: Any) -> None:
    spec = make_spec(constraints={"activation_mb": "<= 1"})
    costs = ModelCosts.of_spec(spec)(FLAT)
    constraint = spec.constraints["activation_mb"]
    assert constraint.before_training
    assert constraint.violation(costs["activation_mb"]) > 0


def test_each_model_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = ModelCosts(TrainingConfig())
    first = costs(FLAT)
    monkeypatch.setattr("mixfront.search.cost_check.count_cost", lambda *_a, **_k: 1 / 0)
    assert costs(FLAT | {"optimizer.lr": 0.5}) == first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"token_dim": 9}, "does not divide"),
        ({"num_tokns": 9}, "unknown key 'num_tokns'"),
        ({"optimizer.lr": -1}, "'optimizer.lr' is -1"),
        ({"family": "rank"}, "unknown family 'rank'"),
    ],
)
def test_a_configuration_that_cannot_be_built_or_trained_is_refused(
    change: dict[str, object], message: str
) -> None:
    costs = ModelCosts(TrainingConfig())
    with pytest.raises(ValueError, match=message):
        costs(FLAT | change)


def test_unbuildable_configurations_have_no_costs() -> None:
    costs = ModelCosts(TrainingConfig())
    assert costs_if_buildable(costs, FLAT) == costs(FLAT)
    with pytest.raises(SpecError):
        costs(FLAT | {"token_dim": 9})
    assert costs_if_buildable(costs, FLAT | {"token_dim": 9}) is None


@pytest.mark.parametrize("key", [{"sequence_pool": "target"}, {"family": "kunlun"}])
def test_a_model_that_needs_a_behaviour_sequence_needs_one_in_the_data(
    key: dict[str, object],
) -> None:
    field = FieldLayout(name="item", domain="item", kind="categorical")
    past = FieldLayout(name="past", domain="item", kind="sequence", length=3, target="item")
    with_past, without = (
        ModelCosts(TrainingConfig(), FeatureLayout(fields=fields, num_rows=9, pad_rows=(0,)))
        for fields in ((field, past), (field,))
    )
    flat = {**FLAT, "num_tokens": 8, **key}
    assert costs_if_buildable(with_past, flat) is not None
    assert costs_if_buildable(without, flat) is None
    assert costs_if_buildable(without, FLAT) is not None
