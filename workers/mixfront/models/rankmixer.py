"""RankMixer (ByteDance, arXiv 2507.15551): parameter-free token mixing, per-token networks."""

from pydantic import Field, model_validator
from torch import Tensor

from mixfront.models._base import Block, BlockCost, RankerConfig, StackContext
from mixfront.models.mixing.permutation import token_mixing
from mixfront.models.norms import Norm, norm_params
from mixfront.models.per_token import GeluFFN, gelu_hidden


class RankMixerConfig(RankerConfig):
    """Config of `rankmixer`; as many heads as tokens, so that residuals fit."""

    ffn_hidden: int = Field(
        0, ge=0, le=65536, description="hidden width h of the GELU networks; 0 = 2 * token_dim"
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "RankMixerConfig":
        if self.token_dim % self.num_tokens:
            raise ValueError(
                f"num_tokens {self.num_tokens} does not divide token_dim {self.token_dim}, and "
                "RankMixer cuts every token into num_tokens heads; choose a multiple of it"
            )
        return self

    @property
    def hidden(self) -> int:
        """Hidden width of the per-token networks."""
        return gelu_hidden(self.ffn_hidden, self.token_dim)


class RankMixerBlock(Block):
    """S = LN(TokenMixing(X) + X); X' = LN(PFFN(S) + S) (Eq. 1)."""

    def __init__(self, config: RankMixerConfig) -> None:
        super().__init__()
        self._num_heads = config.num_tokens
        self.mix_norm = Norm("layer", config.token_dim)
        self.ffn_norm = Norm("layer", config.token_dim)
        self.ffn = GeluFFN(
            config.num_tokens, config.token_dim, config.hidden, dropout=config.dropout
        )

    def forward(self, x: Tensor, _context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        mixed = self.mix_norm(token_mixing(x, self._num_heads) + x)
        out: Tensor = self.ffn_norm(self.ffn(mixed) + mixed)
        return out


def rankmixer_cost(config: RankMixerConfig) -> BlockCost:
    """Closed form: T (2Dh + h + D) + 4D parameters and 4TDh FLOPs a layer."""
    shape = (config.num_tokens, config.token_dim, config.hidden)
    norms = 2 * norm_params("layer", config.token_dim)
    return BlockCost(
        params=config.num_blocks * (GeluFFN.params(*shape) + norms),
        flops_per_sample=config.num_blocks * GeluFFN.flops(*shape),
    )
