"""MLP-Mixer (arXiv 2105.01601): one MLP across tokens, one across a token's features."""

from pydantic import Field
from torch import Tensor

from mixfront.models._base import Block, BlockCost, Family, RankerConfig, StackContext, repeated
from mixfront.models.layers.norms import Norm, norm_params
from mixfront.models.layers.per_token import GeluFFN, gelu_hidden
from mixfront.models.origins import OurDefault


class MLPMixerConfig(RankerConfig):
    """Config of `mlp_mixer`."""

    token_hidden: OurDefault[int] = Field(
        0,
        ge=0,
        le=65536,
        description="hidden width of the MLP across tokens; 0 = 2 * num_tokens",
    )
    ffn_hidden: OurDefault[int] = Field(
        0,
        ge=0,
        le=65536,
        description="hidden width h of the MLP across features; 0 = 2 * token_dim",
    )

    @property
    def mixing_hidden(self) -> int:
        """Hidden width h_T of the MLP across tokens."""
        return gelu_hidden(self.token_hidden, self.num_tokens)

    @property
    def hidden(self) -> int:
        """Hidden width h of the MLP across features."""
        return gelu_hidden(self.ffn_hidden, self.token_dim)


class MLPMixerBlock(Block):
    """x += MLP_T(LN(x)^T)^T; x += MLP_D(LN(x)), with separate LayerNorms."""

    def __init__(self, config: MLPMixerConfig) -> None:
        super().__init__()
        tokens, dim, dropout = config.num_tokens, config.token_dim, config.dropout
        self.mix_norm = Norm("layer", dim)
        self.mix = GeluFFN(dim, tokens, config.mixing_hidden, dropout=dropout, shared=True)
        self.ffn_norm = Norm("layer", dim)
        self.ffn = GeluFFN(tokens, dim, config.hidden, dropout=dropout, shared=True)

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        x = x + self.mix(self.mix_norm(x).mT).mT
        out: Tensor = x + self.ffn(self.ffn_norm(x))
        return out


def mlp_mixer_cost(config: MLPMixerConfig) -> BlockCost:
    """Closed form per layer: 2T h_T + 2D h + biases + 4D parameters, 4TD (h_T + h) FLOPs."""
    tokens, dim = config.num_tokens, config.token_dim
    mixing, hidden = config.mixing_hidden, config.hidden
    mlps = GeluFFN.params(1, tokens, mixing) + GeluFFN.params(1, dim, hidden)
    return BlockCost(
        params=config.num_blocks * (mlps + 2 * norm_params("layer", dim)),
        flops_per_sample=config.num_blocks * 4 * tokens * dim * (mixing + hidden),
    )


MLP_MIXER = Family(
    name="mlp_mixer",
    summary="one MLP across tokens, one across features (arXiv 2105.01601)",
    config=MLPMixerConfig,
    blocks=repeated(MLPMixerBlock),
    cost=mlp_mixer_cost,
)
