"""Where defaults come from."""

from typing import ClassVar

from pydantic import Field

from mixfront.models import RankerConfig
from mixfront.models.origins import Origins, OurDefault, PaperDefault, default_origin


class BaseConfig(RankerConfig):
    rank: OurDefault[int] = Field(4)
    window: PaperDefault[int] = Field(50)


class PublishedConfig(BaseConfig):
    inherited_origins: ClassVar[Origins] = {"rank": "paper", "num_blocks": "paper"}


class NarrowerConfig(PublishedConfig):
    inherited_origins: ClassVar[Origins] = {"window": "authors' code"}

    rank: OurDefault[int] = Field(2)


class PlugInConfig(RankerConfig):
    depth: int = 3


def test_a_field_names_the_origin_of_its_default() -> None:
    assert default_origin(BaseConfig, "rank") == "ours"
    assert default_origin(BaseConfig, "window") == "paper"


def test_a_family_overrides_the_origin_of_an_inherited_default() -> None:
    assert default_origin(PublishedConfig, "rank") == "paper"
    assert default_origin(PublishedConfig, "window") == "paper"
    assert default_origin(BaseConfig, "num_blocks") == "ours"


def test_the_most_derived_class_decides() -> None:
    assert default_origin(NarrowerConfig, "rank") == "ours"
    assert default_origin(NarrowerConfig, "window") == "authors' code"
    assert default_origin(NarrowerConfig, "num_blocks") == "paper"


def test_a_config_need_not_say() -> None:
    assert default_origin(PlugInConfig, "depth") is None
    assert default_origin(PlugInConfig, "num_tokens") == "ours"
