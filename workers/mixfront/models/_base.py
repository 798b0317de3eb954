"""What every architecture family is made of: a config, a block, a stack, a closed-form cost."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

NormKind = Literal["rms", "layer"]


@dataclass(frozen=True, kw_only=True)
class TemperatureConfig:
    """How the Sinkhorn temperature falls over the steps of the full budget.

    `linear`: tau = max(tau_start - (tau_start - tau_end) * step / steps, tau_end).
    `two_stage`: tau_start for the first `hot_share` of all steps, tau_end for the rest.
    """

    tau_start: float
    tau_end: float
    tau_schedule: Literal["linear", "two_stage"]
    hot_share: float


@dataclass(frozen=True, kw_only=True)
class EventsConfig:
    """How blocks want behaviour sequences: all side by side, or each apart."""

    length: int  # S of what lies side by side, or of each sequence apart
    apart: int = 1  # sequences that are kept apart; 1 = side by side, however many there are
    timed: bool = False  # with the events' ages


class RankerConfig(BaseModel):
    """Keys that every family has; a family's own config adds to them.

    Keys are the same in every family, spec, space and table. Symbols of the papers: T =
    `num_tokens`, D = `token_dim`, M = `num_blocks`, L = T * D.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_dim: int = Field(16, ge=1, le=1024, description="width of every field's embedding")
    num_tokens: int = Field(16, ge=1, le=4096, description="tokens T that the blocks mix")
    token_dim: int = Field(64, ge=1, le=16384, description="width D of a token")
    num_blocks: int = Field(2, ge=1, le=64, description="stacked blocks M")
    share_proj: bool = Field(
        False, description="one affine map for all tokens (RankMixer Eq. 2) instead of one each"
    )
    pool: Literal["mean", "sum", "flatten"] = Field(
        "mean", description="how tokens become the head's input"
    )
    head_hidden: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field(
        (), max_length=8, description="hidden widths of the head's MLP, a list"
    )
    sequence_pool: Literal["mean", "target"] = Field(
        "mean",
        description="how a behaviour sequence (one that shares a categorical feature's table) "
        "becomes a field: the mean of its events, or attention to them by that feature",
    )
    dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="dropout on the tokens and on every FFN's hidden layer"
    )

    def temperature(self) -> TemperatureConfig | None:
        """The schedule of the Sinkhorn temperature; None where a family has no temperature."""
        return None

    def auxiliary_layers(self) -> tuple[int, ...]:
        """Layers 1..M whose outputs are trained to predict the label too; none by default."""
        return ()

    def auxiliary_weight(self) -> float:
        """Factor on the sum of those layers' losses."""
        return 0.0

    def events(self) -> EventsConfig | None:
        """What `StackContext.events` is to be; None where no block reads a sequence."""
        return None


C = TypeVar("C", bound="RankerConfig")
C_contra = TypeVar("C_contra", bound="RankerConfig", contravariant=True)


@dataclass(frozen=True, kw_only=True)
class BlockCost:
    """Closed-form cost of a whole stack of blocks, its norms included.

    One multiply-add is 2 FLOPs. Norms, biases, softmax and activations count as parameters
    but never as FLOPs.
    """

    params: int
    flops_per_sample: int  # forward
    flops_per_step: int = 0  # forward, matmuls once per step however many samples: forming W
    sinkhorn_flops_per_step: int = 0  # forward, once per step; no FLOP counter sees these
    training_flops_per_sample: int = 0  # forward, besides: matmuls that serving leaves out


@dataclass(frozen=True, kw_only=True)
class Events:
    """One behaviour sequence, or several side by side, as tokens."""

    tokens: Tensor  # (N, S, D), zero where there is no event
    mask: Tensor  # (N, S) bool, True where there is an event
    ages: Tensor | None = None  # (N, S) seconds from event to row, 0 without event; where asked


@dataclass
class StackContext:
    """What some blocks need besides their input; belongs to the stack, made anew each forward."""

    x0: Tensor  # (N, T, D), the stack's input
    layer: int = 0
    num_layers: int = 1
    history: list[Tensor] = field(default_factory=list)  # outputs of earlier layers
    events: tuple[Events, ...] = ()  # as the config's `events` asks; blocks may move them on
    cache: dict[str, Tensor] = field(default_factory=dict)  # from one layer to a later one
    penalties: list[Tensor] = field(default_factory=list)  # (N,) each, weighted, for the loss


class Block(nn.Module, ABC):
    """One interaction layer: (N, T, D) -> (N, T, D)."""

    @abstractmethod
    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """Mix `x` (N, T, D); never changes it in place."""


@dataclass(frozen=True, kw_only=True)
class StackKind:
    """Residual topology around a family's blocks; see `mixfront.models.stack`."""

    topology: Literal["chain", "plain", "siamese"] = "chain"
    norm: NormKind = "rms"


def chain(_: RankerConfig) -> StackKind:
    """For blocks that bring their own residuals and norms."""
    return StackKind()


@dataclass(frozen=True, kw_only=True)
class HeadKind(Generic[C_contra]):
    """How tokens become a logit; called as head(stack(x), x) with the tokenizer's tokens x."""

    make: Callable[[C_contra], nn.Module]
    flops: Callable[[C_contra], int]  # forward, of one sample


def repeated(block: Callable[[C], Block]) -> Callable[[C], list[Block]]:
    """`num_blocks` layers that are all of one kind."""
    return lambda config: [block(config) for _ in range(config.num_blocks)]


@dataclass(frozen=True, kw_only=True)
class Family(Generic[C]):
    """An architecture family, as the registry holds it."""

    name: str
    summary: str  # one line, with the paper
    config: type[C]
    blocks: Callable[[C], list[Block]]
    cost: Callable[[C], BlockCost]
    stack: Callable[[C], StackKind] = chain
    head: HeadKind[C] | None = None  # None: pooling, then an MLP
