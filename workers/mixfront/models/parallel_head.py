"""A head with a deep network in parallel with the blocks, concatenated before the logit.

DCN V2's parallel structure (arXiv 2008.13535, Fig. 1), and the difference between AutoInt and
AutoInt+ (arXiv 1810.11921, Section 5.4).
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from mixfront.models._base import HeadKind, RankerConfig
from mixfront.models.head import pooled, pooled_dim, to_logit
from mixfront.models.layers.mlp import ReluMLP, dense
from mixfront.models.origins import OurDefault


class ParallelHeadConfig(RankerConfig):
    """Abstract: hyperparameters of families with an optional parallel deep network."""

    parallel_hidden: OurDefault[tuple[Annotated[int, Field(ge=1, le=65536)], ...]] = Field(
        (),
        max_length=8,
        description="list of hidden widths of the parallel deep network; [] = no such network",
    )

    @property
    def deep_widths(self) -> list[int]:
        """Input width and hidden widths of the deep network."""
        return [self.num_tokens * self.token_dim, *self.parallel_hidden]

    @property
    def head_widths(self) -> list[int]:
        """Input width and hidden widths of the MLP over the pooled tokens and the deep network."""
        deep = self.parallel_hidden[-1] if self.parallel_hidden else 0
        return [pooled_dim(self) + deep, *self.head_hidden]


class ParallelHead(nn.Module):
    """An MLP over the blocks' output, concatenated with a deep network on the unmixed tokens."""

    def __init__(self, config: ParallelHeadConfig) -> None:
        super().__init__()
        self._pool = config.pool
        self.deep = (
            ReluMLP(config.deep_widths, dropout=config.dropout, last_relu=True)
            if config.parallel_hidden
            else None
        )
        self.hidden = ReluMLP(config.head_widths, last_relu=True)
        self.output = dense(config.head_widths[-1], 1)

    def forward(self, x: Tensor, tokens: Tensor) -> Tensor:
        """Mixed and unmixed tokens (N, T, D) -> logits (N,)."""
        parts = [pooled(x, self._pool)]
        if self.deep is not None:
            parts.append(self.deep(tokens.flatten(1)))
        return to_logit(self.output, self.hidden(torch.cat(parts, dim=1)))

    @torch.no_grad()
    def scale_output(self, factor: float) -> None:
        """Multiply the weights of the last layer."""
        self.output.weight.mul_(factor)


def _head_flops(config: ParallelHeadConfig) -> int:
    return ReluMLP.flops(config.deep_widths) + ReluMLP.flops([*config.head_widths, 1])


PARALLEL_HEAD = HeadKind(make=ParallelHead, flops=_head_flops)
