"""The registry of architecture families: a new family is a new file and one line here."""

from collections.abc import Mapping
from typing import Any

from mixfront.config_file import validate
from mixfront.exceptions import SpecError, UnknownNameError
from mixfront.models._base import Family, RankerConfig, repeated
from mixfront.models.families.autoint import AutoIntBlock, AutoIntConfig, autoint_cost
from mixfront.models.families.dcnv2 import CrossBlock, DCNv2Config, dcnv2_cost
from mixfront.models.families.deepfm import DEEPFM_HEAD, DeepFMConfig, deepfm_blocks, deepfm_cost
from mixfront.models.families.dhen.block import DHENBlock, DHENConfig, dhen_cost
from mixfront.models.families.fat.block import FATBlock, FATConfig, fat_cost
from mixfront.models.families.heterogeneous_attention import (
    HeterogeneousAttentionConfig,
    heterogeneous_block,
    heterogeneous_cost,
)
from mixfront.models.families.hhft import HHFTConfig, hhft_blocks, hhft_cost
from mixfront.models.families.hiformer import HiFormerConfig, hiformer_block, hiformer_cost
from mixfront.models.families.kunlun.block import kunlun_blocks, kunlun_cost
from mixfront.models.families.kunlun.config import KunlunConfig
from mixfront.models.families.mlp_mixer import MLPMixerBlock, MLPMixerConfig, mlp_mixer_cost
from mixfront.models.families.rankmixer import RankMixerBlock, RankMixerConfig, rankmixer_cost
from mixfront.models.families.tokenmixer_large import (
    TokenMixerLargeBlock,
    TokenMixerLargeConfig,
    tokenmixer_large_cost,
)
from mixfront.models.families.transformer import (
    TransformerConfig,
    transformer_block,
    transformer_cost,
)
from mixfront.models.families.unified.block import unified_block, unified_cost
from mixfront.models.families.unified.config import UnifiedConfig
from mixfront.models.families.unimixer.config import SinkhornMixerConfig
from mixfront.models.families.unimixer.family import UniMixerConfig, unimixer_block, unimixer_cost
from mixfront.models.families.unimixer_lite import (
    UniMixerLiteConfig,
    unimixer_lite_block,
    unimixer_lite_cost,
)
from mixfront.models.families.unimixer_lite_factored import (
    UniMixerLiteFactoredConfig,
    unimixer_lite_factored_block,
    unimixer_lite_factored_cost,
)
from mixfront.models.families.wukong import WukongBlock, WukongConfig, wukong_cost
from mixfront.models.parallel_head import PARALLEL_HEAD

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
            name="unimixer_lite_factored",
            summary="UniMixing-Lite that never forms its global matrix (after arXiv 2604.00590)",
            config=UniMixerLiteFactoredConfig,
            blocks=repeated(unimixer_lite_factored_block),
            cost=unimixer_lite_factored_cost,
            stack=SinkhornMixerConfig.stack_kind,
        ),
        Family(
            name="unified",
            summary="local and global pattern chosen separately (framework of arXiv 2604.00590)",
            config=UnifiedConfig,
            blocks=repeated(unified_block),
            cost=unified_cost,
            stack=UnifiedConfig.stack_kind,
        ),
        Family(
            name="rankmixer",
            summary="parameter-free token mixing, per-token networks (arXiv 2507.15551)",
            config=RankMixerConfig,
            blocks=repeated(RankMixerBlock),
            cost=rankmixer_cost,
        ),
        Family(
            name="wukong",
            summary="factorisation machines beside linear compression (arXiv 2403.02545)",
            config=WukongConfig,
            blocks=repeated(WukongBlock),
            cost=wukong_cost,
        ),
        Family(
            name="kunlun",
            summary="Wukong experts over tokens and a pooled behaviour sequence (unofficial)",
            config=KunlunConfig,
            blocks=kunlun_blocks,
            cost=kunlun_cost,
        ),
        Family(
            name="dcnv2",
            summary="explicit feature crosses beside a deep network (arXiv 2008.13535)",
            config=DCNv2Config,
            blocks=repeated(CrossBlock),
            cost=dcnv2_cost,
            head=PARALLEL_HEAD,
        ),
        Family(
            name="autoint",
            summary="self-attention over fields, linear residual (arXiv 1810.11921)",
            config=AutoIntConfig,
            blocks=repeated(AutoIntBlock),
            cost=autoint_cost,
            head=PARALLEL_HEAD,
        ),
        Family(
            name="transformer",
            summary="plain pre-norm encoder, weights shared by tokens (arXiv 1706.03762)",
            config=TransformerConfig,
            blocks=repeated(transformer_block),
            cost=transformer_cost,
        ),
        Family(
            name="mlp_mixer",
            summary="one network over tokens, one over features (arXiv 2105.01601)",
            config=MLPMixerConfig,
            blocks=repeated(MLPMixerBlock),
            cost=mlp_mixer_cost,
        ),
        Family(
            name="tokenmixer_large",
            summary="mix, network, revert, network, per token (arXiv 2602.06563)",
            config=TokenMixerLargeConfig,
            blocks=repeated(TokenMixerLargeBlock),
            cost=tokenmixer_large_cost,
        ),
        Family(
            name="heterogeneous_attention",
            summary="attention with weights of each token's own (arXiv 2311.05884)",
            config=HeterogeneousAttentionConfig,
            blocks=repeated(heterogeneous_block),
            cost=heterogeneous_cost,
        ),
        Family(
            name="hiformer",
            summary="attention with low-rank composite projections (arXiv 2311.05884)",
            config=HiFormerConfig,
            blocks=repeated(hiformer_block),
            cost=hiformer_cost,
        ),
        Family(
            name="hhft",
            summary="encoders per semantic block under HiFormer layers (arXiv 2511.20235)",
            config=HHFTConfig,
            blocks=hhft_blocks,
            cost=hhft_cost,
        ),
        Family(
            name="fat",
            summary="field-aware attention, weights composed per field (arXiv 2511.12081)",
            config=FATConfig,
            blocks=repeated(FATBlock),
            cost=fat_cost,
        ),
        Family(
            name="dhen",
            summary="layers that are ensembles of interactions (arXiv 2203.11014)",
            config=DHENConfig,
            blocks=repeated(DHENBlock),
            cost=dhen_cost,
        ),
        Family(
            name="deepfm",
            summary="factorisation machine beside a deep network (arXiv 1703.04247)",
            config=DeepFMConfig,
            blocks=deepfm_blocks,
            cost=deepfm_cost,
            head=DEEPFM_HEAD,
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
