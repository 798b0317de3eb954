"""FAT: attention with weights per field and a gate per pair of fields (arXiv 2511.12081)."""

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.models._base import Block, BlockCost, Family, RankerConfig, StackContext, repeated
from mixfront.models.families.fat.field_weights import ComposedWeights, FieldWeights, OwnWeights
from mixfront.models.layers.attention import attend, attention_flops, check_heads
from mixfront.models.layers.norms import Norm, norm_params
from mixfront.models.origins import OurDefault


class FATConfig(RankerConfig):
    """Config of `fat`; tokens are the paper's fields."""

    pool: OurDefault[Literal["mean", "sum", "flatten"]] = Field(
        "sum", description="how the head pools the tokens"
    )
    num_heads: OurDefault[int] = Field(
        4, ge=1, le=256, description="attention heads H, a divisor of token_dim"
    )
    ffn_hidden: OurDefault[int] = Field(
        0, ge=0, le=65536, description="hidden width h of the GELU FFNs; 0 = 4 * token_dim"
    )
    num_bases: OurDefault[int] = Field(
        64,
        ge=0,
        le=4096,
        description="bases that weights are composed of; 0 = separate weights per field",
    )
    active_bases: OurDefault[int] = Field(
        3, ge=1, le=4096, description="bases that a field selects; unused if num_bases is 0"
    )
    field_embedding_dim: OurDefault[int] = Field(
        64, ge=1, le=4096, description="width of the field embedding that selects the bases"
    )
    field_gate: OurDefault[Literal["one_plus_w", "w"]] = Field(
        "one_plus_w",
        description="factor on the scores of a pair of fields: 1 + w, or w as in the paper, with "
        "which attention starts uniform; the paper is ambiguous",
    )

    @model_validator(mode="after")
    def _heads_and_bases_fit(self) -> "FATConfig":
        check_heads(self)
        if self.num_bases and self.active_bases > self.num_bases:
            raise ValueError(
                f"active_bases {self.active_bases} is more than num_bases {self.num_bases}; "
                f"set at most {self.num_bases}"
            )
        return self

    @property
    def hidden(self) -> int:
        """Hidden width h of the per-field FFN."""
        return self.ffn_hidden or 4 * self.token_dim

    def field_weights(self) -> FieldWeights:
        """The module that provides a layer's weights."""
        shape = (self.num_tokens, self.token_dim, self.hidden)
        if not self.num_bases:
            return OwnWeights(*shape)
        return ComposedWeights(
            *shape,
            num_bases=self.num_bases,
            active=self.active_bases,
            embedding_dim=self.field_embedding_dim,
        )


class FATBlock(Block):
    """Z' = Z + FFN(LN(Attn(Z))): one residual around both, no output projection.

    h_i = z_i + b_i; q, k, v of h_i by the field's weights; s_ij = q_i . k_j / sqrt(D/H) * gate_ij.
    """

    def __init__(self, config: FATConfig) -> None:
        super().__init__()
        tokens, dim = config.num_tokens, config.token_dim
        self._num_heads = config.num_heads
        self._offset = 1.0 if config.field_gate == "one_plus_w" else 0.0
        self.field_bias = nn.Parameter(torch.zeros(tokens, dim))  # b
        self.gate = nn.Parameter(torch.empty(tokens, tokens))  # w, shared by the heads
        nn.init.normal_(self.gate, std=0.01)
        self.weights = config.field_weights()
        self.norm = Norm("layer", dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        project, up, down = self.weights()
        tokens = (x + self.field_bias).transpose(0, 1)
        query, key, value = torch.bmm(tokens, project).transpose(0, 1).chunk(3, dim=-1)
        mixed = attend(query, key, value, self._num_heads, gate=self._offset + self.gate)
        hidden = self.dropout(F.gelu(torch.bmm(self.norm(mixed).transpose(0, 1), up)))
        return x + torch.bmm(hidden, down).transpose(0, 1)


def fat_cost(config: FATConfig) -> BlockCost:
    """Closed form: `field_weights` plus T^2 + TD + 2D parameters; 6TD^2 + 4T^2D + 4TDh FLOPs."""
    tokens, dim, hidden = config.num_tokens, config.token_dim, config.hidden
    matrices = 3 * dim * dim + 2 * dim * hidden  # of one field, or one base of each kind
    params, composing = tokens * matrices, 0
    if config.num_bases:
        width, bases = config.field_embedding_dim, config.num_bases
        params = bases * matrices + tokens * width + 5 * width * bases
        composing = 10 * tokens * width * bases + 2 * tokens * bases * matrices
    params += tokens * tokens + tokens * dim + norm_params("layer", dim)
    flops = 2 * tokens * matrices + attention_flops(tokens, dim)
    return BlockCost(
        params=config.num_blocks * params,
        flops_per_sample=config.num_blocks * flops,
        flops_per_step=config.num_blocks * composing,
    )


FAT = Family(
    name="fat",
    summary="field-aware attention, weights composed per field (arXiv 2511.12081)",
    config=FATConfig,
    blocks=repeated(FATBlock),
    cost=fat_cost,
)
