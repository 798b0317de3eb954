"""A family's hyperparameters as data."""

import json

import pytest

from mixfront.models import FAMILIES, hyperparameters, make_config


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_key_is_described(family: str) -> None:
    keys = hyperparameters(family)
    defaults = make_config(family, {}).model_dump(mode="json")

    assert {key: item.default for key, item in keys.items()} == defaults
    for key, item in keys.items():
        assert item.help, key
        assert item.range, key
        assert item.range_text(), key
    json.dumps([item.to_json() for item in keys.values()])


def test_one_default_may_have_several_origins() -> None:
    items = [
        hyperparameters(name)["num_blocks"] for name in ("rankmixer", "hiformer", "mlp_mixer")
    ]

    assert {item.default for item in items} == {2}
    assert [item.default_from for item in items] == ["paper", "authors' code", "ours"]


def test_ranges() -> None:
    keys = hyperparameters("unimixer")
    assert keys["num_blocks"].range == {"min": 1, "max": 64}
    assert keys["num_blocks"].range_text() == "1 to 64"
    assert keys["tau_end"].range == {"above": 0, "max": 10}
    assert keys["tau_end"].range_text() == "above 0, at most 10"
    assert keys["stack"].range == {"choices": ["siamese", "plain"]}
    assert keys["symmetric"].range_text() == "false | true"
    assert keys["head_hidden"].range == {"min": 1, "max": 65536}
