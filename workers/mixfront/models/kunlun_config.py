"""Config of Kunlun, and the numbers that its layers and its closed form share."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mixfront.models._base import RankerConfig
from mixfront.models.attention import check_heads
from mixfront.models.per_token import gelu_hidden
from mixfront.models.wukong import WukongConfig


class KunlunConfig(RankerConfig):
    """Config of `kunlun`; T = T_x + T_s, tokens of the summary and of the sequence."""

    num_blocks: int = Field(
        3, ge=1, le=64, description="stacked blocks M; the sequence is updated from 3 on"
    )
    pool: Literal["mean", "sum", "flatten"] = Field(
        "flatten", description="how tokens become the head's input"
    )
    sequence_tokens: int = Field(
        4,
        ge=0,
        le=1024,
        description="tokens T_s pooled from behaviour sequences (those that share a categorical "
        "feature's table), below num_tokens; 0 = without sequences",
    )
    seq_len: int = Field(
        50,
        ge=1,
        le=10_000,
        description="events S, shared out equally among the behaviour sequences, the last of each",
    )
    num_heads: int = Field(4, ge=1, le=256, description="attention heads H; divides token_dim")
    ffn_hidden: int = Field(
        0, ge=0, le=65536, description="hidden width h of the summary's MLP; 0 = 2 * token_dim"
    )
    num_seeds: int = Field(
        0, ge=0, le=4096, description="seeds s_0 that pool, sequence_tokens or more; 0 = 4 times"
    )
    kron_rank: int = Field(8, ge=1, le=256, description="terms kr of SumKron")
    num_experts: int = Field(
        2, ge=1, le=64, description="Wukong experts E; divides num_tokens, 2 tokens each or more"
    )
    fm_rank: int = Field(
        24, ge=1, le=4096, description="columns of an expert's FM; at most its tokens are used"
    )
    mlp_hidden: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field(
        (256,), max_length=8, description="hidden widths of an expert's MLP, a list"
    )
    window: int = Field(
        50, ge=0, le=10_000, description="events w on either side that an event attends to"
    )
    position: Literal["none", "rope"] = Field(
        "none", description="how attention between events knows their order"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> "KunlunConfig":
        check_heads(self)
        tokens, experts = self.num_tokens, self.num_experts
        if self.sequence_tokens >= tokens:
            raise ValueError(
                f"sequence_tokens {self.sequence_tokens} leaves no other of num_tokens {tokens}, "
                "which counts them; choose fewer"
            )
        if tokens % experts or tokens < 2 * experts:
            raise ValueError(
                f"num_experts {experts} does not divide num_tokens {tokens} into 2 or more for "
                "each; choose a divisor of at most half"
            )
        if 0 < self.num_seeds < self.sequence_tokens:
            raise ValueError(
                f"num_seeds {self.num_seeds} is below sequence_tokens {self.sequence_tokens}; "
                "choose that or more"
            )
        if self.position == "rope" and self.token_dim // self.num_heads % 2:
            raise ValueError(
                f"position 'rope' turns pairs, and a head has {self.token_dim // self.num_heads} "
                "entries; choose another num_heads, or position 'none'"
            )
        return self

    def num_events(self) -> int:
        """S, or 0 without sequences."""
        return self.seq_len if self.sequence_tokens else 0

    @property
    def summary_tokens(self) -> int:
        """T_x."""
        return self.num_tokens - self.sequence_tokens

    @property
    def hidden(self) -> int:
        """Hidden width of the summary's MLP."""
        return gelu_hidden(self.ffn_hidden, self.token_dim)

    @property
    def seeds(self) -> int:
        """s_0."""
        return self.num_seeds or 4 * self.sequence_tokens

    @property
    def pooling_layers(self) -> int:
        """n_f, layers that pool afresh: the even ones."""
        return -(-self.num_blocks // 2) if self.sequence_tokens else 0

    @property
    def updating_layers(self) -> int:
        """The first layers, which update the sequence: only as long as a later one pools.

        Behind the last pooling, weights of an update would get no gradient.
        """
        return 2 * max(self.pooling_layers - 1, 0)

    def expert(self) -> WukongConfig:
        """One Wukong layer on T / E tokens."""
        return WukongConfig(
            num_tokens=self.num_tokens // self.num_experts,
            token_dim=self.token_dim,
            num_blocks=1,
            fm_rank=self.fm_rank,
            mlp_hidden=self.mlp_hidden,
            dropout=self.dropout,
        )
