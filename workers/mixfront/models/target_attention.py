"""Behaviour sequences to field embeddings, by attention of the candidate to their events.

After DIN (arXiv 1706.06978): what a history says depends on what is being ranked. Its
activation unit is replaced by the scaled dot product of the Transformer (arXiv 1706.03762).
"""

import math

import torch
from torch import Tensor, nn

from mixfront.data.batch import FeatureLayout
from mixfront.models._base import RankerConfig
from mixfront.models.behaviour import needed_behaviours
from mixfront.models.layers.masked_attention import masked_softmax


class TargetAttention(nn.Module):
    """sum_s softmax_s(q W_Q . k_s W_K / sqrt(E)) k_s W_V of one sequence; zero if it is empty.

    Computed as q W_Q W_K^T . k_s and (sum_s a_s k_s) W_V, which is the same and spares the maps
    of all events. It starts near the mean: W_V as the identity, scores as small as the embeddings.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(dim, dim))
        self.key = nn.Parameter(torch.empty(dim, dim))
        self.value = nn.Parameter(torch.eye(dim))
        for weight in (self.query, self.key):
            nn.init.xavier_uniform_(weight)

    def forward(self, candidate: Tensor, events: Tensor, mask: Tensor) -> Tensor:
        """(N, E), (N, S, E) and (N, S), True where there is an event -> (N, E)."""
        query = candidate @ self.query @ self.key.mT / math.sqrt(candidate.shape[-1])
        scores = torch.bmm(events, query.unsqueeze(2)).squeeze(2)
        pooled = torch.bmm(masked_softmax(scores, mask).unsqueeze(1), events).squeeze(1)
        return pooled @ self.value

    @staticmethod
    def flops(length: int, dim: int) -> int:
        """6E^2 + 4SE a sample."""
        return 6 * dim * dim + 4 * length * dim


class TargetPooling(nn.Module):
    """Every behaviour sequence to one field embedding, with weights of its own (3E^2).

    Raises:
        SpecError: If the layout has no behaviour sequence.
    """

    def __init__(self, config: RankerConfig, layout: FeatureLayout) -> None:
        super().__init__()
        self._dim = config.embedding_dim
        self._behaviours = needed_behaviours(
            layout, "sequence_pool 'target'", "take sequence_pool 'mean'"
        )
        self.attentions = nn.ModuleList(TargetAttention(self._dim) for _ in self._behaviours)

    def forward(self, fields: Tensor, events: Tensor, mask: Tensor) -> Tensor:
        """Fields (N, F, E), events (N, S, E), mask (N, S) -> (N, behaviour sequences, E)."""
        pooled = [
            attention(fields[:, b.target], events[:, b.positions], mask[:, b.positions])
            for b, attention in zip(self._behaviours, self.attentions, strict=True)
        ]
        return torch.stack(pooled, 1)

    def flops(self) -> int:
        """Forward FLOPs a sample, of all sequences at full length."""
        return sum(TargetAttention.flops(b.length, self._dim) for b in self._behaviours)
