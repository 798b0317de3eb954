"""AutoInt (arXiv 1810.11921): self-attention over fields with a linear residual.

With `parallel_hidden` it is the paper's AutoInt+, which adds a parallel deep network.
"""

from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor

from mixfront.models._base import Block, BlockCost, Family, StackContext, repeated
from mixfront.models.layers.attention import attend, attention_flops, check_heads
from mixfront.models.layers.per_token import PerTokenLinear
from mixfront.models.origins import Origins, OurDefault, PaperDefault
from mixfront.models.parallel_head import PARALLEL_HEAD, ParallelHeadConfig


class AutoIntConfig(ParallelHeadConfig):
    """Config of `autoint`; the concatenated heads are as wide as a token."""

    inherited_origins: ClassVar[Origins] = {"parallel_hidden": "paper"}

    num_heads: OurDefault[int] = Field(
        2, ge=1, le=256, description="attention heads H, a divisor of token_dim"
    )
    use_scale: PaperDefault[bool] = Field(
        False, description="divide scores by sqrt(token_dim / num_heads); the paper does not"
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "AutoIntConfig":
        check_heads(self)
        return self


class AutoIntBlock(Block):
    """ReLU(concat_h softmax(q k^T) v + W_res x), with weights shared across tokens, no biases."""

    def __init__(self, config: AutoIntConfig) -> None:
        super().__init__()
        dim = config.token_dim
        self._num_heads, self._use_scale = config.num_heads, config.use_scale
        self.project = PerTokenLinear(
            config.num_tokens, dim, dim, parts=4, shared=True, bias=False
        )

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        query, key, value, residual = self.project(x).chunk(4, dim=-1)
        mixed = attend(query, key, value, self._num_heads, use_scale=self._use_scale)
        # Cast, because no norm or identity residual restores fp32 between layers under autocast.
        out: Tensor = (mixed + residual).relu().to(x.dtype)
        return out


def autoint_cost(config: AutoIntConfig) -> BlockCost:
    """Closed form: 4D^2 parameters and 8TD^2 + 4T^2D FLOPs per layer."""
    tokens, dim = config.num_tokens, config.token_dim
    flops = 8 * tokens * dim * dim + attention_flops(tokens, dim)
    return BlockCost(
        params=config.num_blocks * 4 * dim * dim, flops_per_sample=config.num_blocks * flops
    )


AUTOINT = Family(
    name="autoint",
    summary="self-attention over fields with a linear residual (arXiv 1810.11921)",
    config=AutoIntConfig,
    blocks=repeated(AutoIntBlock),
    cost=autoint_cost,
    head=PARALLEL_HEAD,
)
