"""Rotary position embeddings by index (RoPE, arXiv 2104.09864) or by age (RoTE)."""

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

BASE = 10_000.0

Position = Literal["none", "rope", "rote"]


class Rotary(nn.Module, ABC):
    """Rotates pairs of a head's entries by an angle proportional to the position; no parameters.

    Entry i of a head's first half is paired with entry i of its second half, and the pair is
    rotated by position / 10000^(2i / d), where d = D / H is even. The dot product of a query
    and a key then depends only on the difference of their positions.
    """

    def __init__(self, num_heads: int) -> None:
        super().__init__()
        self._num_heads = num_heads

    @abstractmethod
    def angles(self, ages: Tensor | None) -> tuple[Tensor, Tensor]:
        """Cosines and sines: (S, 1, d / 2) if the same in every row, else (N, S, 1, d / 2)."""

    def forward(
        self, query: Tensor, key: Tensor, ages: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Rotate query and key (N, S, D); `ages` (N, S) in seconds, if positions are ages."""
        cos, sin = self.angles(ages)
        return self._rotate(query, cos, sin), self._rotate(key, cos, sin)

    def _rotate(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        heads = x.reshape(*x.shape[:-1], self._num_heads, x.shape[-1] // self._num_heads)
        first, second = heads.chunk(2, dim=-1)
        rotated = (first * cos - second * sin, first * sin + second * cos)
        return torch.cat(rotated, -1).flatten(2)


class PositionRotary(Rotary):
    """RoPE: the position of an event is its index in the sequence."""

    cos: Tensor
    sin: Tensor

    def __init__(self, length: int, dim: int, num_heads: int) -> None:
        super().__init__(num_heads)
        angles = _angles(torch.arange(length), _frequencies(dim, num_heads))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def angles(self, ages: Tensor | None) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """(S, 1, d / 2); ages are ignored."""
        return self.cos, self.sin


class AgeRotary(Rotary):
    """RoTE: the position of an event is log(1 + age / `time_scale`), both in seconds."""

    frequencies: Tensor

    def __init__(self, time_scale: float, dim: int, num_heads: int) -> None:
        super().__init__(num_heads)
        self._time_scale = time_scale
        self.register_buffer("frequencies", _frequencies(dim, num_heads), persistent=False)

    def angles(self, ages: Tensor | None) -> tuple[Tensor, Tensor]:
        """(N, S, 1, d / 2)."""
        assert ages is not None, "positions are ages, but no ages were passed"
        angles = _angles(torch.log1p(ages / self._time_scale), self.frequencies)
        return angles.cos(), angles.sin()


def make_rotary(
    position: Position, *, length: int, time_scale: float, dim: int, num_heads: int
) -> Rotary | None:
    """The rotary embedding that `position` names; None for "none"."""
    if position == "none":
        return None
    if position == "rope":
        return PositionRotary(length, dim, num_heads)
    return AgeRotary(time_scale, dim, num_heads)


def _frequencies(dim: int, num_heads: int) -> Tensor:
    """(d / 2,)."""
    half = dim // num_heads // 2
    return BASE ** (-torch.arange(half) / half)


def _angles(positions: Tensor, frequencies: Tensor) -> Tensor:
    """(*, S) -> (*, S, 1, d / 2)."""
    return positions[..., None, None] * frequencies
