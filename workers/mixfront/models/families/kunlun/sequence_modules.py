"""Kunlun's modules on a behaviour sequence: its pooling, and two ways of updating it."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.models.layers.attention import join_heads, split_heads
from mixfront.models.layers.masked_attention import attend_masked
from mixfront.models.layers.mlp import dense
from mixfront.models.layers.norms import Norm
from mixfront.models.layers.rotary import Rotary


class SumKron(nn.Module):
    """sum_i Z_i^T A W_i over `rank` terms, without forming a Kronecker product."""

    def __init__(self, num_in: int, num_out: int, dim: int, rank: int) -> None:
        super().__init__()
        self._num_out = num_out
        self.left = nn.Parameter(torch.empty(num_out * rank, num_in))  # Z_i^T, token by token
        self.right = nn.Parameter(torch.empty(rank * dim, dim))  # W_i, stacked
        nn.init.normal_(self.left, std=1 / math.sqrt(num_in))
        nn.init.normal_(self.right, std=1 / math.sqrt(rank * dim))

    def forward(self, x: Tensor) -> Tensor:
        """(N, num_in, D) -> (N, num_out, D)."""
        projected = (self.left @ x).reshape(len(x), self._num_out, -1)  # (N, num_out, rank * D)
        return projected @ self.right


class SeedPooling(nn.Module):
    """HSP, hierarchical seed pooling: seeds attend to the sequence, then SumKron makes tokens.

    A = MHA(query LN(E0), key = value = S) W_O; H = sum_i Z_i^T A W_i. The maps have no biases, so
    an empty sequence gives zero.
    """

    def __init__(
        self, *, num_seeds: int, num_tokens: int, dim: int, num_heads: int, rank: int
    ) -> None:
        super().__init__()
        self._num_heads = num_heads
        self.seeds = nn.Parameter(torch.empty(num_seeds, dim))  # E0
        nn.init.normal_(self.seeds)
        self.norm = Norm("layer", dim)
        self.query, self.key, self.value, self.output = (
            dense(dim, dim, bias=False) for _ in range(4)
        )
        self.kron = SumKron(num_seeds, num_tokens, dim, rank)

    def forward(self, seq: Tensor, mask: Tensor) -> Tensor:
        """Sequence (N, S, D) and mask (N, S) -> (N, T_s, D)."""
        query = self.query(self.norm(self.seeds)).unsqueeze(0)
        key, value = self.key(seq), self.value(seq)
        pooled = attend_masked(query, key, value, self._num_heads, mask[:, None, None])
        out: Tensor = self.kron(self.output(pooled))
        return out


class SummaryAttention(nn.Module):
    """GDPA, generalised dot-product attention: S + concat_h GELU(LN(S)_h K_h^T / tau) V_h.

    K = X_sum W_1 and V = X_sum W_2 come from the summary of the tokens; tau is a constant, the
    length S of a full sequence.
    """

    def __init__(self, dim: int, num_heads: int, tau: float) -> None:
        super().__init__()
        self._num_heads = num_heads
        self._tau = tau
        self.norm = Norm("layer", dim)
        self.key, self.value = (dense(dim, dim, bias=False) for _ in range(2))

    def forward(self, seq: Tensor, _mask: Tensor, _ages: Tensor | None, summary: Tensor) -> Tensor:
        """Sequence (N, S, D), mask and ages (N, S), summary (N, T_x, D) -> (N, S, D)."""
        parts = (self.norm(seq), self.key(summary), self.value(summary))
        query, key, value = (split_heads(x, self._num_heads) for x in parts)
        weights = F.gelu(query @ (key / self._tau).mT)
        return seq + join_heads(weights @ value)


class WindowAttention(nn.Module):
    """SWA, sliding-window attention: LN(S + MHA_{|i - j| <= w}(S) W_O), with a dense band mask."""

    band: Tensor

    def __init__(
        self, dim: int, num_heads: int, *, length: int, window: int, rotary: Rotary | None
    ) -> None:
        super().__init__()
        self._num_heads = num_heads
        self.query, self.key, self.value, self.output = (
            dense(dim, dim, bias=False) for _ in range(4)
        )
        self.norm = Norm("layer", dim)
        self.rotary = rotary
        indices = torch.arange(length)
        band = (indices[:, None] - indices).abs() <= window
        self.register_buffer("band", band, persistent=False)

    def forward(self, seq: Tensor, mask: Tensor, ages: Tensor | None, _summary: Tensor) -> Tensor:
        """Sequence (N, S, D), mask and ages (N, S), summary (N, T_x, D) -> (N, S, D)."""
        query, key = self.query(seq), self.key(seq)
        if self.rotary is not None:
            query, key = self.rotary(query, key, ages)
        visible = self.band & mask[:, None, None]
        attended = attend_masked(query, key, self.value(seq), self._num_heads, visible)
        out: Tensor = self.norm(seq + self.output(attended))
        return out
