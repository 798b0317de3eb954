"""Target attention: pools a behaviour sequence with the candidate item as the query.

Based on DIN (arXiv 1706.06978), with the scaled dot product of the Transformer (arXiv 1706.03762)
in place of DIN's activation unit.
"""

import math

import torch
from torch import Tensor, nn

from mixfront.data.batch import FeatureLayout
from mixfront.models._base import RankerConfig
from mixfront.models.behaviour_sequences import require_behaviour_sequences
from mixfront.models.layers.masked_attention import masked_softmax


class TargetAttention(nn.Module):
    """sum_s softmax_s(q W_Q . k_s W_K / sqrt(E)) k_s W_V of one sequence; zero if it is empty.

    Computed as q W_Q W_K^T . k_s and (sum_s a_s k_s) W_V, which is equal but does not project the
    events. Initially it is nearly the mean, because W_V is the identity and embeddings, and so
    scores, are small.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(dim, dim))
        self.key = nn.Parameter(torch.empty(dim, dim))
        self.value = nn.Parameter(torch.eye(dim))
        for weight in (self.query, self.key):
            nn.init.xavier_uniform_(weight)

    def forward(self, candidate: Tensor, events: Tensor, mask: Tensor) -> Tensor:
        """(N, E), (N, S, E) and mask (N, S), False at padding -> (N, E)."""
        query = candidate @ self.query @ self.key.mT / math.sqrt(candidate.shape[-1])
        scores = torch.bmm(events, query.unsqueeze(2)).squeeze(2)
        pooled = torch.bmm(masked_softmax(scores, mask).unsqueeze(1), events).squeeze(1)
        return pooled @ self.value

    @staticmethod
    def flops(length: int, dim: int) -> int:
        """6E^2 + 4SE per sample."""
        return 6 * dim * dim + 4 * length * dim


class TargetPooling(nn.Module):
    """Pools every behaviour sequence into one field, each with its own weights (3E^2).

    Raises:
        SpecError: If the layout has no behaviour sequence.
    """

    def __init__(self, config: RankerConfig, layout: FeatureLayout) -> None:
        super().__init__()
        self._dim = config.embedding_dim
        self._sequences = require_behaviour_sequences(
            layout, "sequence_pool 'target'", "set sequence_pool 'mean'"
        )
        self.attentions = nn.ModuleList(TargetAttention(self._dim) for _ in self._sequences)

    def forward(self, fields: Tensor, events: Tensor, mask: Tensor) -> Tensor:
        """Fields (N, F, E), events (N, S, E), mask (N, S) -> (N, behaviour sequences, E)."""
        pooled = [
            attention(fields[:, s.target], events[:, s.positions], mask[:, s.positions])
            for s, attention in zip(self._sequences, self.attentions, strict=True)
        ]
        return torch.stack(pooled, 1)

    def flops(self) -> int:
        """Forward FLOPs per sample: all sequences at full length, padding included."""
        return sum(TargetAttention.flops(s.length, self._dim) for s in self._sequences)
