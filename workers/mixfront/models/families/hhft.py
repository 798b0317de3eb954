"""HHFT (arXiv 2511.20235): encoders with weights per semantic block, then HiFormer layers.

Known from the abstract only; the number of layers of either kind and the norms are choices.
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


class HHFTConfig(HiFormerLayerConfig):
    """Config of `hhft`."""

    hiformer_layers: int = Field(
        1, ge=1, le=64, description="HiFormer layers on top, of num_blocks; a choice"
    )
    token_groups: tuple[Annotated[int, Field(ge=0, le=4095)], ...] = Field(
        (),
        max_length=4096,
        description="semantic block 0, 1, ... of every token, a list; [] = each its own",
    )

    @model_validator(mode="after")
    def _layers_and_groups_fit(self) -> "HHFTConfig":
        if self.hiformer_layers > self.num_blocks:
            raise ValueError(
                f"hiformer_layers {self.hiformer_layers} is more than num_blocks "
                f"{self.num_blocks}, which counts them; choose at most that"
            )
        groups = self.token_groups
        if groups and len(groups) != self.num_tokens:
            raise ValueError(
                f"token_groups names {len(groups)} tokens of {self.num_tokens}; name each"
            )
        if groups and set(groups) != set(range(max(groups) + 1)):
            raise ValueError(
                f"token_groups {list(groups)} leaves numbers out; count blocks 0, 1, ..."
            )
        return self

    @property
    def num_groups(self) -> int:
        """G, the semantic blocks."""
        return max(self.token_groups) + 1 if self.token_groups else self.num_tokens

    @property
    def encoder_layers(self) -> int:
        """Layers below HiFormer's."""
        return self.num_blocks - self.hiformer_layers


def hhft_blocks(config: HHFTConfig) -> list[Block]:
    """All layers, from below."""
    groups = config.token_groups or None
    below = [heterogeneous_block(config, groups) for _ in range(config.encoder_layers)]
    return below + [hiformer_block(config) for _ in range(config.hiformer_layers)]


def hhft_cost(config: HHFTConfig) -> BlockCost:
    """Closed form: the encoder's with G sets of weights, and HiFormer's."""
    below, above = config.encoder_layers, config.hiformer_layers
    encoder = heterogeneous_params(config, config.num_groups)
    return BlockCost(
        params=below * encoder + above * config.hiformer_params(),
        flops_per_sample=below * heterogeneous_flops(config) + above * config.hiformer_flops(),
    )


HHFT = Family(
    name="hhft",
    summary="encoders with weights per semantic block, then HiFormer (arXiv 2511.20235)",
    config=HHFTConfig,
    blocks=hhft_blocks,
    cost=hhft_cost,
)
