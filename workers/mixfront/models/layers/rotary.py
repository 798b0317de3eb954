"""Rotary position embeddings: by place (RoPE, arXiv 2104.09864) or by age (RoTE)."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

BASE = 10_000.0

Position = Literal["none", "rope", "rote"]


class Rotary(nn.Module, ABC):
    """Turns pairs of a head's entries by an angle that grows with the position; no parameters.

    Entry i of a head's first half is paired with entry i of its second half, and turned by
    position / 10000^(2i / d), d = D / H even: a product of query and key then depends on the
    difference of their positions.
    """

    def __init__(self, num_heads: int) -> None:
        super().__init__()
        self._num_heads = num_heads

    @abstractmethod
    def angles(self, ages: Tensor | None) -> tuple[Tensor, Tensor]:
        """Cosines and sines, (S, 1, d / 2) for all rows or (N, S, 1, d / 2)."""

    def forward(
        self, query: Tensor, key: Tensor, ages: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Query and key (N, S, D), and ages (N, S) in seconds where positions are ages."""
        cos, sin = self.angles(ages)
        return self._turned(query, cos, sin), self._turned(key, cos, sin)

    def _turned(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        heads = x.reshape(*x.shape[:-1], self._num_heads, x.shape[-1] // self._num_heads)
        first, second = heads.chunk(2, dim=-1)
        turned = (first * cos - second * sin, first * sin + second * cos)
        return torch.cat(turned, -1).flatten(2)


class PlaceRotary(Rotary):
    """The position of an event is its place in the sequence."""

    cos: Tensor
    sin: Tensor

    def __init__(self, length: int, dim: int, num_heads: int) -> None:
        super().__init__(num_heads)
        angles = _angles(torch.arange(length), _rates(dim, num_heads))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def angles(self, ages: Tensor | None) -> tuple[Tensor, Tensor]:  # noqa: ARG002 - for ages
        """The same in every row."""
        return self.cos, self.sin


class AgeRotary(Rotary):
    """The position of an event is log(1 + age / `time_scale`), both in seconds."""

    rates: Tensor

    def __init__(self, time_scale: float, dim: int, num_heads: int) -> None:
        super().__init__(num_heads)
        self._time_scale = time_scale
        self.register_buffer("rates", _rates(dim, num_heads), persistent=False)

    def angles(self, ages: Tensor | None) -> tuple[Tensor, Tensor]:
        """Of every event."""
        assert ages is not None, "positions are ages; hand them over"
        angles = _angles(torch.log1p(ages / self._time_scale), self.rates)
        return angles.cos(), angles.sin()


def make_rotary(
    position: Position, *, length: int, time_scale: float, dim: int, num_heads: int
) -> Rotary | None:
    """The rotary embedding of a name; None for "none"."""
    if position == "none":
        return None
    if position == "rope":
        return PlaceRotary(length, dim, num_heads)
    return AgeRotary(time_scale, dim, num_heads)


def _rates(dim: int, num_heads: int) -> Tensor:
    """(d / 2,)."""
    half = dim // num_heads // 2
    return BASE ** (-torch.arange(half) / half)


def _angles(positions: Tensor, rates: Tensor) -> Tensor:
    """(*, S) -> (*, S, 1, d / 2)."""
    return positions[..., None, None] * rates
