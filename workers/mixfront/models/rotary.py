"""Rotary position embeddings (RoPE, arXiv 2104.09864)."""

import torch
from torch import Tensor, nn

BASE = 10_000.0


class Rotary(nn.Module):
    """Turns pairs of a head's entries by an angle that grows with the position; no parameters.

    Entry i of a head's first half is paired with entry i of its second half, and turned by
    position / 10000^(2i / d), d = D / H even.
    """

    cos: Tensor
    sin: Tensor

    def __init__(self, length: int, dim: int, num_heads: int) -> None:
        super().__init__()
        self._num_heads = num_heads
        half = dim // num_heads // 2
        rates = BASE ** (-torch.arange(half) / half)
        angles = (torch.arange(length)[:, None] * rates).unsqueeze(1)  # (S, 1, d / 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, S, D) -> (N, S, D)."""
        heads = x.reshape(*x.shape[:-1], self._num_heads, x.shape[-1] // self._num_heads)
        first, second = heads.chunk(2, dim=-1)
        turned = (first * self.cos - second * self.sin, first * self.sin + second * self.cos)
        return torch.cat(turned, -1).flatten(2)
