"""Hyperparameters of Kunlun, and the sizes derived from them."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mixfront.models._base import EventsConfig, RankerConfig
from mixfront.models.families.wukong import WukongConfig
from mixfront.models.layers.attention import check_heads
from mixfront.models.layers.per_token import gelu_hidden
from mixfront.models.layers.rotary import Position
from mixfront.models.origins import OurDefault, PaperDefault


class KunlunConfig(RankerConfig):
    """Config of `kunlun`; T = T_x + T_s, the tokens of the summary and of the sequence."""

    num_blocks: OurDefault[int] = Field(
        3, ge=1, le=64, description="number of blocks M; below 3, the sequence is never updated"
    )
    pool: PaperDefault[Literal["mean", "sum", "flatten"]] = Field(
        "flatten", description="how the head pools the tokens"
    )
    sequence_tokens: OurDefault[int] = Field(
        4,
        ge=0,
        le=1024,
        description="tokens T_s, fewer than num_tokens, pooled from behaviour sequences (those "
        "that share a categorical feature's table); 0 = ignore sequences",
    )
    seq_len: OurDefault[int] = Field(
        50,
        ge=1,
        le=10_000,
        description="number of latest events S that are read, split equally between the behaviour "
        "sequences",
    )
    num_sequences: OurDefault[int] = Field(
        1,
        ge=1,
        le=64,
        description="number of behaviour sequences that are pooled and updated separately, each "
        "with its own weights; must equal the number in the data and divide sequence_tokens; "
        "1 = concatenate them",
    )
    num_heads: OurDefault[int] = Field(
        4, ge=1, le=256, description="attention heads H, a divisor of token_dim"
    )
    ffn_hidden: OurDefault[int] = Field(
        0, ge=0, le=65536, description="hidden width h of the summary's MLP; 0 = 2 * token_dim"
    )
    num_seeds: OurDefault[int] = Field(
        0,
        ge=0,
        le=4096,
        description="seeds s_0 of the pooling, at least sequence_tokens; 0 = 4 * sequence_tokens",
    )
    kron_rank: OurDefault[int] = Field(
        8, ge=1, le=256, description="number of terms kr of SumKron"
    )
    num_experts: OurDefault[int] = Field(
        2,
        ge=1,
        le=64,
        description="Wukong experts E, a divisor of num_tokens that gives each 2 tokens or more",
    )
    fm_rank: OurDefault[int] = Field(
        24, ge=1, le=4096, description="columns of an expert's FM; capped at its number of tokens"
    )
    mlp_hidden: OurDefault[tuple[Annotated[int, Field(ge=1, le=65536)], ...]] = Field(
        (256,), max_length=8, description="list of hidden widths of an expert's MLP"
    )
    window: OurDefault[int] = Field(
        50, ge=0, le=10_000, description="window w: an event attends to w events on each side"
    )
    position: OurDefault[Position] = Field(
        "none",
        description="position of an event in attention between events: none, its index (rope), or "
        "log(1 + age / time_scale), which needs `times` in the schema (rote)",
    )
    time_scale: OurDefault[float] = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="for rote, seconds below which differences in age hardly matter",
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        check_heads(self)
        tokens, experts = self.num_tokens, self.num_experts
        if self.sequence_tokens >= tokens:
            raise ValueError(
                f"sequence_tokens {self.sequence_tokens} leaves no tokens for the summary, "
                f"because num_tokens {tokens} includes both; set fewer than {tokens}"
            )
        if tokens % experts or tokens < 2 * experts:
            raise ValueError(
                f"num_experts {experts} does not divide num_tokens {tokens} into 2 or more tokens "
                "each; set a divisor of num_tokens, at most half of it"
            )
        if 0 < self.num_seeds < self.sequence_tokens:
            raise ValueError(
                f"num_seeds {self.num_seeds} is below sequence_tokens {self.sequence_tokens}; "
                f"set {self.sequence_tokens} or more"
            )
        entries = self.token_dim // self.num_heads
        if self.position != "none" and entries % 2:
            raise ValueError(
                f"position {self.position!r} rotates pairs of entries, but heads have "
                f"width {entries}; set a different num_heads, or position 'none'"
            )
        return self

    @model_validator(mode="after")
    def _sequences_get_equal_parts(self) -> Self:
        for key in ("sequence_tokens", "num_seeds"):
            if (total := getattr(self, key)) % self.num_sequences:
                raise ValueError(
                    f"num_sequences {self.num_sequences} does not divide {key} {total}; "
                    "set a divisor"
                )
        if self.seq_len < self.num_sequences:
            raise ValueError(
                f"seq_len {self.seq_len} is too short for num_sequences {self.num_sequences}, "
                f"which need one event each; set {self.num_sequences} or more"
            )
        return self

    def events(self) -> EventsConfig | None:
        """All sequences concatenated, or separate; None if they are ignored."""
        if not self.sequence_tokens:
            return None
        return EventsConfig(
            length=self.num_events, num_separate=self.num_sequences, timed=self.position == "rote"
        )

    @property
    def num_events(self) -> int:
        """S of each separate sequence, or of the concatenated one."""
        return self.seq_len // self.num_sequences

    @property
    def summary_tokens(self) -> int:
        """T_x, the tokens of the summary."""
        return self.num_tokens - self.sequence_tokens

    @property
    def hidden(self) -> int:
        """Hidden width h of the summary's MLP."""
        return gelu_hidden(self.ffn_hidden, self.token_dim)

    @property
    def seeds(self) -> int:
        """s_0, summed over all sequences."""
        return self.num_seeds or 4 * self.sequence_tokens

    @property
    def pooling_layers(self) -> int:
        """n_f, the number of layers that pool: the even ones."""
        return -(-self.num_blocks // 2) if self.sequence_tokens else 0

    @property
    def updating_layers(self) -> int:
        """Number of layers that update the sequence: those before the last layer that pools.

        The weights of a later update would get no gradient.
        """
        return 2 * max(self.pooling_layers - 1, 0)

    def expert(self) -> WukongConfig:
        """Config of an expert: one Wukong layer on T / E tokens."""
        return WukongConfig(
            num_tokens=self.num_tokens // self.num_experts,
            token_dim=self.token_dim,
            num_blocks=1,
            fm_rank=self.fm_rank,
            mlp_hidden=self.mlp_hidden,
            dropout=self.dropout,
        )
