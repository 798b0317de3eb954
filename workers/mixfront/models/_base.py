"""The parts of an architecture family: config, blocks, stack, head and closed-form cost."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from mixfront.models.origins import Origins, OurDefault

NormKind = Literal["rms", "layer"]


@dataclass(frozen=True, kw_only=True)
class TemperatureConfig:
    """How the Sinkhorn temperature falls over the steps of a full training run.

    `linear`: tau = max(tau_start - (tau_start - tau_end) * step / steps, tau_end), where `steps`
    is `tau_steps`, or the steps of the full run if that is 0.
    `two_stage`: tau_start for the first `hot_share` of the steps, tau_end for the rest.
    `constant`: tau_end at every step.
    """

    tau_start: float
    tau_end: float
    tau_schedule: Literal["linear", "two_stage", "constant"]
    hot_share: float
    tau_steps: int = 0


@dataclass(frozen=True, kw_only=True)
class EventsConfig:
    """How blocks read behaviour sequences: concatenated into one, or separately."""

    length: int  # S, the length of the concatenated sequence, or of each separate one
    num_separate: int = 1  # sequences read separately; 1 = all concatenated
    timed: bool = False  # whether blocks also read the ages of events


class RankerConfig(BaseModel):
    """Hyperparameters of every family; a family's own config adds to them.

    A key has the same meaning in every family, spec, search space and table. In the papers'
    symbols, T = `num_tokens`, D = `token_dim`, M = `num_blocks` and L = T * D.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Inherited fields whose defaults have another origin in this family.
    inherited_origins: ClassVar[Origins] = {}

    embedding_dim: OurDefault[int] = Field(
        16, ge=1, le=1024, description="width of a field's embedding"
    )
    num_tokens: OurDefault[int] = Field(16, ge=1, le=4096, description="number of tokens T")
    token_dim: OurDefault[int] = Field(64, ge=1, le=16384, description="width D of a token")
    num_blocks: OurDefault[int] = Field(2, ge=1, le=64, description="number of blocks M")
    share_proj: OurDefault[bool] = Field(
        False, description="share one tokenizer projection between all chunks (RankMixer, Eq. 2)"
    )
    tokenizer: OurDefault[Literal["chunks", "semantic_groups"]] = Field(
        "chunks",
        description="what tokens read: equal chunks of the concatenated fields, or all fields of "
        "a domain, with tokens allotted to domains by their number of fields (TokenMixer-Large)",
    )
    tokenizer_hidden: OurDefault[int] = Field(
        0,
        ge=0,
        le=65536,
        description="hidden width of the MLPs that make tokens; 0 = linear maps",
    )
    global_token: OurDefault[bool] = Field(
        False, description="make the first token from all fields (TokenMixer-Large)"
    )
    pool: OurDefault[Literal["mean", "sum", "flatten"]] = Field(
        "mean", description="how the head pools the tokens"
    )
    head_hidden: OurDefault[tuple[Annotated[int, Field(ge=1, le=65536)], ...]] = Field(
        (), max_length=8, description="list of hidden widths of the head's MLP"
    )
    sequence_pool: OurDefault[Literal["mean", "target"]] = Field(
        "mean",
        description="how a behaviour sequence (one that shares a categorical feature's table) is "
        "pooled into a field: mean of its events, or attention with that feature as the query",
    )
    dropout: OurDefault[float] = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="dropout rate on the tokens and on the hidden layer of every FFN",
    )

    @model_validator(mode="after")
    def _tokens_can_be_made(self) -> "RankerConfig":
        if self.global_token and self.num_tokens == 1:
            raise ValueError(
                "num_tokens 1 leaves no token besides the global token; set at least 2, or "
                "global_token to false"
            )
        if self.share_proj and self.tokenizer == "semantic_groups":
            raise ValueError(
                "share_proj true does not fit tokenizer semantic_groups, because groups differ in "
                "width; set share_proj to false, or tokenizer to chunks"
            )
        return self

    def temperature(self) -> TemperatureConfig | None:
        """Schedule of the Sinkhorn temperature; None if the model has no temperature."""
        return None

    def auxiliary_layers(self) -> tuple[int, ...]:
        """Layers (1..M) that get an auxiliary head in training; none by default."""
        return ()

    def auxiliary_weight(self) -> float:
        """Weight of the sum of the auxiliary losses."""
        return 0.0

    def events(self) -> EventsConfig | None:
        """The form of `StackContext.events`; None if no block reads sequences."""
        return None


C = TypeVar("C", bound="RankerConfig")
C_contra = TypeVar("C_contra", bound="RankerConfig", contravariant=True)


@dataclass(frozen=True, kw_only=True)
class BlockCost:
    """Closed-form cost of the whole stack: all blocks, and the stack's own norms.

    One multiply-add is 2 FLOPs. Only matmuls and Sinkhorn are counted; norms, biases, softmax and
    activation functions are not.
    """

    params: int
    flops_per_sample: int  # forward
    flops_per_step: int = 0  # forward matmuls that run once per step, such as composing weights
    sinkhorn_flops_per_step: int = 0  # forward; torch's FLOP counter misses these
    training_flops_per_sample: int = 0  # additional forward matmuls, which serving skips


@dataclass(frozen=True, kw_only=True)
class Events:
    """One behaviour sequence, or several concatenated, as tokens."""

    tokens: Tensor  # (N, S, D), zero at padding
    mask: Tensor  # (N, S) bool, False at padding
    ages: Tensor | None = None  # (N, S) seconds before the impression, 0 at padding; if timed


@dataclass
class StackContext:
    """State that blocks share within one forward, in addition to their input."""

    x0: Tensor  # (N, T, D), the stack's input
    layer: int = 0
    num_layers: int = 1
    history: list[Tensor] = field(default_factory=list)  # outputs of earlier layers
    events: tuple[Events, ...] = ()  # in the form of the config's `events()`; blocks may update it
    cache: dict[str, Tensor] = field(default_factory=dict)  # values for later layers
    penalties: list[Tensor] = field(default_factory=list)  # (N,) each, already weighted


class Block(nn.Module, ABC):
    """One interaction layer: (N, T, D) -> (N, T, D)."""

    @abstractmethod
    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """(N, T, D) -> (N, T, D); must not modify `x` in place."""


@dataclass(frozen=True, kw_only=True)
class StackKind:
    """Residual topology around the blocks; see `mixfront.models.stack`."""

    topology: Literal["chain", "plain", "siamese"] = "chain"
    norm: NormKind = "rms"


def chain(_: RankerConfig) -> StackKind:
    """The stack for blocks that have their own residuals and norms."""
    return StackKind()


@dataclass(frozen=True, kw_only=True)
class HeadKind(Generic[C_contra]):
    """How tokens become a logit; the module is called as head(stack(x), x) with tokens x."""

    make: Callable[[C_contra], nn.Module]
    flops: Callable[[C_contra], int]  # forward, per sample


def repeated(block: Callable[[C], Block]) -> Callable[[C], list[Block]]:
    """A stack of `num_blocks` identical layers."""
    return lambda config: [block(config) for _ in range(config.num_blocks)]


@dataclass(frozen=True, kw_only=True)
class Family(Generic[C]):
    """An architecture family, defined in its own file or folder and listed in the registry."""

    name: str
    summary: str  # one line with the paper, shown by `mixfront families`
    config: type[C]
    blocks: Callable[[C], list[Block]]
    cost: Callable[[C], BlockCost]
    stack: Callable[[C], StackKind] = chain
    head: HeadKind[C] | None = None  # None: pool the tokens, then an MLP
