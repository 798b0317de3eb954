"""DeepFM (arXiv 1703.04247): sum of a first-order term, pairwise products and a deep network.

It has no blocks: the head reads the tokenizer's tokens. The FM's factors are the tokens, one per
field if num_tokens is the number of fields. The first-order term is linear in the tokens.
"""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Family, HeadKind, RankerConfig
from mixfront.models.head import to_logit
from mixfront.models.layers.mlp import ReluMLP, dense
from mixfront.models.layers.precision import no_autocast
from mixfront.models.origins import OurDefault, PaperDefault


class DeepFMConfig(RankerConfig):
    """Config of `deepfm`."""

    num_blocks: PaperDefault[int] = Field(0, ge=0, le=0, description="DeepFM has no blocks")
    pool: PaperDefault[Literal["flatten"]] = Field(
        "flatten", description="the deep network reads the flattened tokens"
    )
    head_hidden: OurDefault[tuple[Annotated[int, Field(ge=1, le=65536)], ...]] = Field(
        (300, 300, 300), max_length=8, description="list of hidden widths of the deep network"
    )

    @property
    def deep_widths(self) -> list[int]:
        """Input width TD and hidden widths of the deep network."""
        return [self.num_tokens * self.token_dim, *self.head_hidden]


class DeepFMHead(nn.Module):
    """logit = linear(x) + 0.5 sum_D((sum_t x_t)^2 - sum_t x_t^2) + MLP(x)."""

    def __init__(self, config: DeepFMConfig) -> None:
        super().__init__()
        widths = config.deep_widths
        self.first_order = dense(widths[0], 1)
        self.deep = ReluMLP(widths, dropout=config.dropout, last_relu=True)
        self.output = dense(widths[-1], 1)

    def forward(self, x: Tensor, _tokens: Tensor) -> Tensor:
        """(N, T, D) -> logits (N,)."""
        flat = x.flatten(1)
        deep = to_logit(self.output, self.deep(flat))
        return to_logit(self.first_order, flat) + pairwise_products(x) + deep


def pairwise_products(x: Tensor) -> Tensor:
    """sum_{i<j} x_i . x_j over tokens, (N, T, D) -> (N,), in linear time (FM, Rendle 2010)."""
    with no_autocast(x.device):
        return 0.5 * (x.sum(1).square() - x.square().sum(1)).sum(1)


def _head_flops(config: DeepFMConfig) -> int:
    widths = config.deep_widths
    return ReluMLP.flops([*widths, 1]) + 2 * widths[0]


DEEPFM_HEAD = HeadKind(make=DeepFMHead, flops=_head_flops)


def deepfm_blocks(_: DeepFMConfig) -> list[Block]:
    """No blocks."""
    return []


def deepfm_cost(_: DeepFMConfig) -> BlockCost:
    """Closed form: zero, because the head is the whole model."""
    return BlockCost(params=0, flops_per_sample=0)


DEEPFM = Family(
    name="deepfm",
    summary="factorisation machine in parallel with a deep network (arXiv 1703.04247)",
    config=DeepFMConfig,
    blocks=deepfm_blocks,
    cost=deepfm_cost,
    head=DEEPFM_HEAD,
)
