"""Wukong (Meta, arXiv 2403.02545): stacked factorisation machines and linear compression."""

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Family, RankerConfig, StackContext, repeated
from mixfront.models.layers.mlp import ReluMLP, dense
from mixfront.models.layers.norms import Norm, norm_params
from mixfront.models.origins import OurDefault, PaperDefault


class WukongConfig(RankerConfig):
    """Config of `wukong`; a layer outputs T tokens, T // 2 of them from its FM block."""

    pool: PaperDefault[Literal["mean", "sum", "flatten"]] = Field(
        "flatten", description="how the head pools the tokens"
    )
    fm_rank: PaperDefault[int] = Field(
        24, ge=1, le=4096, description="columns kf of the FM's Y; capped at num_tokens"
    )
    mlp_hidden: OurDefault[tuple[Annotated[int, Field(ge=1, le=65536)], ...]] = Field(
        (512, 512), max_length=8, description="list of hidden widths of the FM block's MLP"
    )

    @model_validator(mode="after")
    def _tokens_for_both_halves(self) -> "WukongConfig":
        if self.num_tokens < 2:
            raise ValueError(
                "num_tokens is 1, but a layer needs one token from its FM block and one from its "
                "linear compression; set 2 or more"
            )
        return self

    @property
    def num_fm_tokens(self) -> int:
        """nF, the number of tokens from the FM block."""
        return self.num_tokens // 2

    @property
    def rank(self) -> int:
        """kf, capped at T."""
        return min(self.fm_rank, self.num_tokens)

    @property
    def mlp_widths(self) -> list[int]:
        """Input width n kf, hidden widths, output width nF D."""
        first = self.num_tokens * self.rank
        return [first, *self.mlp_hidden, self.num_fm_tokens * self.token_dim]


class FactorizationMachine(nn.Module):
    """FM(X) = X (X^T Y), n x kf: dot products of all token pairs, projected (Section 3.3)."""

    def __init__(self, num_tokens: int, rank: int) -> None:
        super().__init__()
        self.to_rank = nn.Linear(num_tokens, rank, bias=False)  # Y^T
        nn.init.normal_(self.to_rank.weight, std=num_tokens**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, n, D) -> (N, n, kf)."""
        out: Tensor = x @ self.to_rank(x.mT)
        return out


class WukongBlock(Block):
    """X' = LN(concat(FMB(X), LCB(X)) + X) (Eq. 1).

    FMB(X) = MLP(LN(flatten(FM(X)))) and LCB(X) = W_L X.
    """

    def __init__(self, config: WukongConfig) -> None:
        super().__init__()
        n, linear = config.num_tokens, config.num_tokens - config.num_fm_tokens
        self.fm = FactorizationMachine(n, config.rank)
        self.fm_norm = Norm("layer", n * config.rank)
        self.mlp = ReluMLP(config.mlp_widths, dropout=config.dropout)
        self.compress = dense(n, linear, bias=False)  # W_L
        self.norm = Norm("layer", config.token_dim)

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        crossed = self.mlp(self.fm_norm(self.fm(x).flatten(1)))
        compressed = self.compress(x.mT).mT
        dim = x.shape[-1]
        tokens = torch.cat([crossed.unflatten(1, (-1, dim)), compressed], dim=1)
        out: Tensor = self.norm(tokens + x)
        return out


def wukong_cost(config: WukongConfig) -> BlockCost:
    """Closed form: n kf + 2n kf + MLP + nL n + 2D parameters, 4n kf D + 2 MLP + 2n nL D FLOPs."""
    n, kf, dim = config.num_tokens, config.rank, config.token_dim
    linear = n - config.num_fm_tokens
    norms = norm_params("layer", n * kf) + norm_params("layer", dim)
    params = n * kf + ReluMLP.params(config.mlp_widths) + linear * n + norms
    flops = 4 * n * kf * dim + ReluMLP.flops(config.mlp_widths) + 2 * n * linear * dim
    return BlockCost(params=config.num_blocks * params, flops_per_sample=config.num_blocks * flops)


WUKONG = Family(
    name="wukong",
    summary="factorisation machines and linear compression (arXiv 2403.02545)",
    config=WukongConfig,
    blocks=repeated(WukongBlock),
    cost=wukong_cost,
)
