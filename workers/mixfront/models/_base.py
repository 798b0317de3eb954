"""What every architecture family is made of: a config, a block, a closed-form cost."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn


class RankerConfig(BaseModel):
    """Keys that every family has; a family's own config adds to them.

    Keys are the same in every family, spec, space and table. Symbols of the papers: T =
    `num_tokens`, D = `token_dim`, M = `num_blocks`.
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
    head_hidden: tuple[int, ...] = Field((), description="hidden widths of the head's MLP")
    dropout: float = Field(0.0, ge=0.0, lt=1.0, description="dropout on the tokenizer's output")


C = TypeVar("C", bound="RankerConfig")


@dataclass(frozen=True, kw_only=True)
class BlockCost:
    """Closed-form cost of a whole stack of blocks; one multiply-add is 2 FLOPs.

    Norms, biases, softmax and activations are never counted.
    """

    params: int
    flops_per_sample: int  # forward
    flops_per_step: int = 0  # forward, once per step however many samples: forming W, Sinkhorn


@dataclass
class StackContext:
    """What some blocks need besides their input; belongs to the stack, made anew each forward."""

    x0: Tensor  # (N, T, D), the stack's input
    layer: int = 0
    num_layers: int = 1
    history: list[Tensor] = field(default_factory=list)  # outputs of earlier layers


class Block(nn.Module, ABC):
    """One interaction layer: (N, T, D) -> (N, T, D)."""

    @abstractmethod
    def forward(self, x: Tensor, context: StackContext) -> Tensor:
        """Mix `x` (N, T, D); never changes it in place."""


@dataclass(frozen=True, kw_only=True)
class Family(Generic[C]):
    """An architecture family, as the registry holds it."""

    name: str
    summary: str  # one line, with the paper
    config: type[C]
    block: Callable[[C], Block]
    cost: Callable[[C], BlockCost]
