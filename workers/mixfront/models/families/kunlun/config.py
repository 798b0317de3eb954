"""Config of Kunlun, and the numbers that its layers and its closed form share."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mixfront.models._base import EventsConfig, RankerConfig
from mixfront.models.families.wukong import WukongConfig
from mixfront.models.layers.attention import check_heads
from mixfront.models.layers.per_token import gelu_hidden
from mixfront.models.layers.rotary import Position


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
    num_sequences: int = Field(
        1,
        ge=1,
        le=64,
        description="behaviour sequences that are pooled and updated apart, each by weights of "
        "its own, all that the data has; divides sequence_tokens. 1 = side by side in one",
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
    position: Position = Field(
        "none",
        description="how attention between events knows their order: by their places (rope), or "
        "by log(1 + age / time_scale), where the schema names their times (rote)",
    )
    time_scale: float = Field(
        60.0, gt=0, allow_inf_nan=False, description="seconds below which ages are alike to rote"
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
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
        entries = self.token_dim // self.num_heads
        if self.position != "none" and entries % 2:
            raise ValueError(
                f"position {self.position!r} turns pairs, and a head has {entries} entries; "
                "choose another num_heads, or position 'none'"
            )
        return self

    @model_validator(mode="after")
    def _sequences_get_equal_parts(self) -> Self:
        for key in ("sequence_tokens", "num_seeds"):
            if (shared := getattr(self, key)) % self.num_sequences:
                raise ValueError(
                    f"num_sequences {self.num_sequences} does not divide {key} {shared}; choose "
                    "a divisor"
                )
        if self.seq_len < self.num_sequences:
            raise ValueError(
                f"seq_len {self.seq_len} leaves no event for each of num_sequences "
                f"{self.num_sequences}; choose that or more"
            )
        return self

    def events(self) -> EventsConfig | None:
        """All in one, or each apart; None without sequences."""
        if not self.sequence_tokens:
            return None
        return EventsConfig(
            length=self.num_events, apart=self.num_sequences, timed=self.position == "rote"
        )

    @property
    def num_events(self) -> int:
        """S of each sequence apart, or of all side by side."""
        return self.seq_len // self.num_sequences

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
        """s_0, of all sequences together."""
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
