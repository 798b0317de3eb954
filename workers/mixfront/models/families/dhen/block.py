"""DHEN: layers that are ensembles of interaction modules (arXiv 2203.11014).

The paper gives Norm(Ensemble + ShortCut) and the kinds of module. Which modules a layer has, their
widths and the scaling of dot products are our choices.
"""

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Family, RankerConfig, StackContext, repeated
from mixfront.models.families.dhen.interactions import (
    MODULES,
    Interaction,
    ModuleKind,
    ModuleShape,
)
from mixfront.models.layers.attention import check_heads
from mixfront.models.layers.mlp import dense
from mixfront.models.layers.norms import Norm, norm_params
from mixfront.models.layers.per_token import gelu_hidden
from mixfront.models.origins import OurDefault


class DHENConfig(RankerConfig):
    """Config of `dhen`."""

    pool: OurDefault[Literal["mean", "sum", "flatten"]] = Field(
        "flatten", description="how the head pools the tokens"
    )
    modules: OurDefault[tuple[ModuleKind, ...]] = Field(
        ("dlrm", "attention", "linear"),
        min_length=2,
        max_length=4,
        description="list of a layer's 2 to 4 interaction modules; their order does not matter",
    )
    ensemble: OurDefault[Literal["weighted_sum", "sum", "concat"]] = Field(
        "weighted_sum",
        description="how modules combine: sum with learned weights, plain sum, or their tokens "
        "concatenated and mapped to num_tokens",
    )
    num_heads: OurDefault[int] = Field(
        4, ge=1, le=256, description="attention heads H, a divisor of token_dim"
    )
    ffn_hidden: OurDefault[int] = Field(
        0,
        ge=0,
        le=65536,
        description="hidden width of the attention module's FFN; 0 = 2 * token_dim",
    )
    dlrm_hidden: OurDefault[int] = Field(
        256, ge=1, le=65536, description="hidden width of the dlrm module's MLP"
    )

    @model_validator(mode="after")
    def _modules_fit(self) -> "DHENConfig":
        check_heads(self)
        if len(set(self.modules)) < len(self.modules):
            raise ValueError(f"modules {list(self.modules)} has duplicates; list each once")
        if "dlrm" in self.modules and self.num_tokens < 2:
            raise ValueError("num_tokens is 1, but dlrm needs pairs of tokens; set 2 or more")
        return self

    @property
    def shape(self) -> ModuleShape:
        """The sizes that modules are built from."""
        return ModuleShape(
            num_tokens=self.num_tokens,
            dim=self.token_dim,
            num_heads=self.num_heads,
            ffn_hidden=gelu_hidden(self.ffn_hidden, self.token_dim),
            dlrm_hidden=self.dlrm_hidden,
            dropout=self.dropout,
        )


class DHENBlock(Block):
    """X' = LN(sum_i a_i U_i(X) + X), or LN(W_e concat_i U_i(X) + X) with W_e (T x mT)."""

    def __init__(self, config: DHENConfig) -> None:
        super().__init__()
        count, tokens = len(config.modules), config.num_tokens
        self.interactions = nn.ModuleList(
            MODULES[kind].make(config.shape) for kind in config.modules
        )
        learned = config.ensemble == "weighted_sum"
        self.factors = nn.Parameter(torch.full((count,), 1 / count)) if learned else None
        joined = config.ensemble == "concat"
        self.join = dense(count * tokens, tokens, bias=False) if joined else None
        self.norm = Norm("layer", config.token_dim)

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        parts = [interaction(x) for interaction in self.interactions]
        out: Tensor = self.norm(self._combine(parts) + x)
        return out

    def _combine(self, parts: list[Tensor]) -> Tensor:
        """m tensors (N, T, D) -> (N, T, D)."""
        if self.join is not None:
            tokens: Tensor = self.join(torch.cat(parts, dim=1).mT).mT
            return tokens
        stacked = torch.stack(parts)
        if self.factors is not None:
            stacked = stacked * self.factors.view(-1, 1, 1, 1)
        return stacked.sum(0)


def dhen_cost(config: DHENConfig) -> BlockCost:
    """Closed form: modules and norm, plus m factors, or m T^2 weights and 2m T^2 D FLOPs."""
    kinds: list[Interaction] = [MODULES[kind] for kind in config.modules]
    shape, count, tokens = config.shape, len(kinds), config.num_tokens
    join = count * tokens**2 if config.ensemble == "concat" else 0
    factors = count if config.ensemble == "weighted_sum" else 0
    params = sum(kind.params(shape) for kind in kinds) + join + factors
    flops = sum(kind.flops(shape) for kind in kinds) + 2 * join * config.token_dim
    return BlockCost(
        params=config.num_blocks * (params + norm_params("layer", config.token_dim)),
        flops_per_sample=config.num_blocks * flops,
    )


DHEN = Family(
    name="dhen",
    summary="layers that are ensembles of interaction modules (arXiv 2203.11014)",
    config=DHENConfig,
    blocks=repeated(DHENBlock),
    cost=dhen_cost,
)
