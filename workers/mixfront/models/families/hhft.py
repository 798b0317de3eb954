"""HHFT (arXiv 2511.20235): encoders with weights per semantic block, then HiFormer layers.

Built only from the abstract; the number of layers of each kind and the norms are our choices.
"""

from typing import Annotated

from pydantic import Field, model_validator

from mixfront.models._base import Block, BlockCost, Family
from mixfront.models.families.heterogeneous_attention import (
    heterogeneous_block,
    heterogeneous_flops,
    heterogeneous_params,
)
from mixfront.models.families.hiformer import HiFormerLayerConfig, hiformer_block
from mixfront.models.origins import OurDefault


class HHFTConfig(HiFormerLayerConfig):
    """Config of `hhft`."""

    hiformer_layers: OurDefault[int] = Field(
        1,
        ge=1,
        le=64,
        description="number of HiFormer layers, which are the last of the num_blocks layers",
    )
    token_groups: OurDefault[tuple[Annotated[int, Field(ge=0, le=4095)], ...]] = Field(
        (),
        max_length=4096,
        description="list of the tokens' semantic blocks, numbered from 0; [] = one per token",
    )

    @model_validator(mode="after")
    def _layers_and_groups_fit(self) -> "HHFTConfig":
        if self.hiformer_layers > self.num_blocks:
            raise ValueError(
                f"hiformer_layers {self.hiformer_layers} is more than num_blocks "
                f"{self.num_blocks}, which includes them; set at most {self.num_blocks}"
            )
        groups = self.token_groups
        if groups and len(groups) != self.num_tokens:
            raise ValueError(
                f"token_groups has {len(groups)} entries, but num_tokens is {self.num_tokens}; "
                "set one entry per token"
            )
        if groups and set(groups) != set(range(max(groups) + 1)):
            raise ValueError(
                f"token_groups {list(groups)} skips numbers; use 0, 1, ... without gaps"
            )
        return self

    @property
    def num_groups(self) -> int:
        """G, the number of semantic blocks."""
        return max(self.token_groups) + 1 if self.token_groups else self.num_tokens

    @property
    def encoder_layers(self) -> int:
        """Number of layers before the HiFormer layers."""
        return self.num_blocks - self.hiformer_layers


def hhft_blocks(config: HHFTConfig) -> list[Block]:
    """All layers, first to last."""
    groups = config.token_groups or None
    encoders = [heterogeneous_block(config, groups) for _ in range(config.encoder_layers)]
    return encoders + [hiformer_block(config) for _ in range(config.hiformer_layers)]


def hhft_cost(config: HHFTConfig) -> BlockCost:
    """Closed form: heterogeneous attention with G sets of weights, and HiFormer."""
    encoders, hiformers = config.encoder_layers, config.hiformer_layers
    params = encoders * heterogeneous_params(config, config.num_groups)
    flops = encoders * heterogeneous_flops(config)
    return BlockCost(
        params=params + hiformers * config.hiformer_params(),
        flops_per_sample=flops + hiformers * config.hiformer_flops(),
    )


HHFT = Family(
    name="hhft",
    summary="encoders with weights per semantic block, then HiFormer (arXiv 2511.20235)",
    config=HHFTConfig,
    blocks=hhft_blocks,
    cost=hhft_cost,
)
