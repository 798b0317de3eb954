"""Every default of every family has an origin."""

import inspect

from mixfront.models import FAMILIES, hyperparameters


def test_every_default_has_an_origin(family: str) -> None:
    unsaid = [key for key, item in hyperparameters(family).items() if item.default_from is None]
    assert unsaid == []


def test_overridden_origins_are_those_of_inherited_defaults(family: str) -> None:
    config = FAMILIES[family].config
    for cls in config.__mro__:
        overridden = vars(cls).get("inherited_origins", {})
        own = inspect.get_annotations(cls)
        assert overridden.keys() <= config.model_fields.keys() - own.keys(), cls
