"""Every architecture family by name. A new family takes a new file and an entry here."""

from collections.abc import Mapping
from typing import Any

from mixfront.config_file import validate
from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.models._base import Family, RankerConfig
from mixfront.models.families.autoint import AUTOINT
from mixfront.models.families.dcnv2 import DCNV2
from mixfront.models.families.deepfm import DEEPFM
from mixfront.models.families.dhen import DHEN
from mixfront.models.families.fat import FAT
from mixfront.models.families.heterogeneous_attention import HETEROGENEOUS_ATTENTION
from mixfront.models.families.hhft import HHFT
from mixfront.models.families.hiformer import HIFORMER
from mixfront.models.families.kunlun import KUNLUN
from mixfront.models.families.mlp_mixer import MLP_MIXER
from mixfront.models.families.rankmixer import RANKMIXER
from mixfront.models.families.tokenmixer_large import TOKENMIXER_LARGE
from mixfront.models.families.transformer import TRANSFORMER
from mixfront.models.families.unified import UNIFIED
from mixfront.models.families.unimixer import UNIMIXER, UNIMIXER_LITE, UNIMIXER_LITE_FACTORED
from mixfront.models.families.wukong import WUKONG

FAMILIES: dict[str, Family[Any]] = {
    family.name: family
    for family in (
        UNIMIXER,
        UNIMIXER_LITE,
        UNIMIXER_LITE_FACTORED,
        UNIFIED,
        RANKMIXER,
        WUKONG,
        KUNLUN,
        DCNV2,
        AUTOINT,
        TRANSFORMER,
        MLP_MIXER,
        TOKENMIXER_LARGE,
        HETEROGENEOUS_ATTENTION,
        HIFORMER,
        HHFT,
        FAT,
        DHEN,
        DEEPFM,
    )
}


def get_family(name: str) -> Family[Any]:
    """The family with this name.

    Raises:
        UnknownNameError: If there is no such family; suggests the nearest name.
    """
    if name not in FAMILIES:
        raise UnknownNameError("family", name, FAMILIES)
    return FAMILIES[name]


def make_config(family: str, values: Mapping[str, Any]) -> RankerConfig:
    """A family's config from plain values; missing keys take their defaults.

    Raises:
        UnknownNameError: If there is no such family.
        SpecError: If a key is unknown, a value is out of range, or values do not fit together,
            such as a block size that does not divide T * D.
    """
    config: RankerConfig = validate(
        get_family(family).config, dict(values), f"family {family}", SpecError
    )
    return config
