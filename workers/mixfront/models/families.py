"""The registry of architecture families: a new family is a new file and one line here."""

from collections.abc import Mapping
from typing import Any

from mixfront.config_file import validate
from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.models._base import Family, RankerConfig, repeated
from mixfront.models.rankmixer import RankMixerBlock, RankMixerConfig, rankmixer_cost
from mixfront.models.sinkhorn_config import SinkhornMixerConfig
from mixfront.models.unimixer import UniMixerConfig, unimixer_block, unimixer_cost
from mixfront.models.unimixer_lite import (
    UniMixerLiteConfig,
    unimixer_lite_block,
    unimixer_lite_cost,
)

FAMILIES: dict[str, Family[Any]] = {
    family.name: family
    for family in (
        Family(
            name="unimixer",
            summary="learned doubly stochastic mixing of blocks (arXiv 2604.00590)",
            config=UniMixerConfig,
            blocks=repeated(unimixer_block),
            cost=unimixer_cost,
            stack=SinkhornMixerConfig.stack_kind,
        ),
        Family(
            name="unimixer_lite",
            summary="UniMixer with composed and low-rank matrices (arXiv 2604.00590)",
            config=UniMixerLiteConfig,
            blocks=repeated(unimixer_lite_block),
            cost=unimixer_lite_cost,
            stack=SinkhornMixerConfig.stack_kind,
        ),
        Family(
            name="rankmixer",
            summary="parameter-free token mixing, per-token networks (arXiv 2507.15551)",
            config=RankMixerConfig,
            blocks=repeated(RankMixerBlock),
            cost=rankmixer_cost,
        ),
    )
}


def get_family(name: str) -> Family[Any]:
    """Look a family up.

    Raises:
        UnknownNameError: If there is none of this name; names the nearest.
    """
    if name not in FAMILIES:
        raise UnknownNameError("family", name, FAMILIES)
    return FAMILIES[name]


def make_config(family: str, values: Mapping[str, Any]) -> RankerConfig:
    """A family's config from plain values; what is absent takes its default.

    Raises:
        UnknownNameError: If the family is not known.
        SpecError: If a key is not known, a value is out of range, or values do not fit
            together (such as a block size that does not divide T * D).
    """
    config: RankerConfig = validate(
        get_family(family).config, dict(values), f"family {family}", SpecError
    )
    return config
