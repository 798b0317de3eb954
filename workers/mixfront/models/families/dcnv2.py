"""DCN V2 (Google, arXiv 2008.13535): explicit feature crosses in parallel with a deep network."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Family, StackContext, repeated
from mixfront.models.layers.mlp import dense
from mixfront.models.origins import OurDefault, PaperDefault
from mixfront.models.parallel_head import PARALLEL_HEAD, ParallelHeadConfig


class DCNv2Config(ParallelHeadConfig):
    """Config of `dcnv2`; blocks are cross layers."""

    num_blocks: OurDefault[int] = Field(3, ge=1, le=64, description="number of cross layers")
    pool: PaperDefault[Literal["mean", "sum", "flatten"]] = Field(
        "flatten", description="how the head pools the crossed tokens"
    )
    rank: OurDefault[int] = Field(64, ge=0, le=65536, description="rank r of W = U V; 0 = full W")
    parallel_hidden: OurDefault[tuple[Annotated[int, Field(ge=1, le=65536)], ...]] = Field(
        (500, 500, 500),
        max_length=8,
        description="list of hidden widths of the parallel deep network; [] = no such network",
    )

    @property
    def input_dim(self) -> int:
        """L = TD, the width of the flattened tokens."""
        return self.num_tokens * self.token_dim


class CrossBlock(Block):
    """x_{l+1} = x_0 * (W x_l + b) + x_l on flattened tokens (Eq. 1), or W = U V (Eq. 2)."""

    def __init__(self, config: DCNv2Config) -> None:
        super().__init__()
        dim, rank = config.input_dim, config.rank
        self.reduce = dense(dim, rank, bias=False) if rank else nn.Identity()  # V
        self.expand = dense(rank or dim, dim)  # U and b, or W and b

    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        crossed: Tensor = self.expand(self.reduce(x.flatten(1)))
        return context.x0 * crossed.view_as(x) + x


def dcnv2_cost(config: DCNv2Config) -> BlockCost:
    """Closed form per layer: L^2 + L parameters, 2L^2 FLOPs; 2Lr + L and 4Lr at rank r."""
    dim, rank = config.input_dim, config.rank
    weights = 2 * dim * rank if rank else dim * dim
    return BlockCost(
        params=config.num_blocks * (weights + dim),
        flops_per_sample=config.num_blocks * 2 * weights,
    )


DCNV2 = Family(
    name="dcnv2",
    summary="feature crosses in parallel with a deep network (arXiv 2008.13535)",
    config=DCNv2Config,
    blocks=repeated(CrossBlock),
    cost=dcnv2_cost,
    head=PARALLEL_HEAD,
)
