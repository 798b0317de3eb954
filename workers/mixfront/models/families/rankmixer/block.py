"""RankMixer: parameter-free token mixing and per-token FFNs, dense or sparse."""

from typing import ClassVar

from pydantic import Field, model_validator
from torch import Tensor, nn

from mixfront.models._base import Block, BlockCost, Family, RankerConfig, StackContext, repeated
from mixfront.models.families.rankmixer.relu_experts import ReluExpertsFFN
from mixfront.models.layers.norms import Norm, norm_params
from mixfront.models.layers.per_token import GeluFFN, gelu_hidden
from mixfront.models.mixing.permutation import token_mixing
from mixfront.models.origins import AuthorsDefault, Origins, OurDefault


class RankMixerConfig(RankerConfig):
    """Config of `rankmixer`; H = T, so that mixed tokens have the shape of the residual."""

    # Both published sizes have 2 blocks.
    inherited_origins: ClassVar[Origins] = {"num_blocks": "paper", "pool": "paper"}

    ffn_hidden: AuthorsDefault[int] = Field(
        0, ge=0, le=65536, description="hidden width h of the per-token FFNs; 0 = 2 * token_dim"
    )
    num_experts: OurDefault[int] = Field(
        0,
        ge=0,
        le=1024,
        description="experts E per token, each of hidden width ffn_hidden; 0 or 1 = dense",
    )
    router_penalty: OurDefault[float] = Field(
        1e-3,
        ge=0,
        le=10,
        description="weight lambda of the L1 penalty on the gates, which makes routing sparse; "
        "unused if dense",
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> "RankMixerConfig":
        if self.token_dim % self.num_tokens:
            raise ValueError(
                f"num_tokens {self.num_tokens} does not divide token_dim {self.token_dim}, but "
                "RankMixer splits every token into num_tokens heads; set token_dim to a multiple "
                "of num_tokens"
            )
        return self

    @property
    def sparse(self) -> bool:
        """Whether FFNs are mixtures of experts."""
        return self.num_experts > 1

    @property
    def hidden(self) -> int:
        """Hidden width h of a per-token FFN, or of one expert."""
        return gelu_hidden(self.ffn_hidden, self.token_dim)


class RankMixerBlock(Block):
    """S = LN(TokenMixing(X) + X); X' = LN(PFFN(S) + S) (Eq. 1).

    With experts, a row's penalty is lambda times the sum of its gates over tokens and experts.
    """

    def __init__(self, config: RankMixerConfig) -> None:
        super().__init__()
        self._num_heads = config.num_tokens
        self.mix_norm = Norm("layer", config.token_dim)
        self.ffn_norm = Norm("layer", config.token_dim)
        self._router_penalty = config.router_penalty
        self.ffn = _make_ffn(config)

    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        mixed = self.mix_norm(token_mixing(x, self._num_heads) + x)
        out: Tensor = self.ffn_norm(self._apply_ffn(mixed, context) + mixed)
        return out

    def _apply_ffn(self, x: Tensor, context: StackContext) -> Tensor:
        """PFFN, (N, T, D) -> (N, T, D)."""
        if not isinstance(self.ffn, ReluExpertsFFN):
            dense: Tensor = self.ffn(x)
            return dense
        out, gate_sum = self.ffn(x)
        context.penalties.append(self._router_penalty * gate_sum)
        sparse: Tensor = out
        return sparse


def _make_ffn(config: RankMixerConfig) -> nn.Module:
    shape = (config.num_tokens, config.token_dim, config.hidden)
    if not config.sparse:
        return GeluFFN(*shape, dropout=config.dropout)
    return ReluExpertsFFN(*shape, num_experts=config.num_experts, dropout=config.dropout)


def rankmixer_cost(config: RankMixerConfig) -> BlockCost:
    """Closed form: T (2Dh + h + D) + 4D parameters and 4TDh FLOPs per layer.

    With E experts, T E (2Dh + h + D) + 2 T E (D + 1) + 4D parameters, T E (4Dh + 4D) FLOPs when
    serving, which computes all experts, and 2 T E D more in training, for the second router.
    """
    tokens, dim = config.num_tokens, config.token_dim
    shape, experts, blocks = (tokens, dim, config.hidden), config.num_experts, config.num_blocks
    norms = 2 * norm_params("layer", dim)
    if not config.sparse:
        return BlockCost(
            params=blocks * (GeluFFN.params(*shape) + norms),
            flops_per_sample=blocks * GeluFFN.flops(*shape),
        )
    return BlockCost(
        params=blocks * (ReluExpertsFFN.params(*shape, experts) + norms),
        flops_per_sample=blocks * ReluExpertsFFN.flops(*shape, experts),
        training_flops_per_sample=blocks * ReluExpertsFFN.training_flops(tokens, dim, experts),
    )


RANKMIXER = Family(
    name="rankmixer",
    summary="parameter-free token mixing and per-token FFNs (arXiv 2507.15551)",
    config=RankMixerConfig,
    blocks=repeated(RankMixerBlock),
    cost=rankmixer_cost,
)
