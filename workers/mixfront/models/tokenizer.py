"""From field embeddings to tokens: sort by semantic domain, concatenate, split, project.

As in UniMixer and RankMixer (Eq. 2), the concatenation E of all field embeddings is padded with
zeros and split into T chunks of width d, and x_i = W_i E[d i : d i + d] + b_i.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.models._base import RankerConfig
from mixfront.models.behaviour_sequences import behaviour_sequences
from mixfront.models.event_tokenizer import EventTokenizer
from mixfront.models.layers.per_token import PerTokenLinear
from mixfront.models.target_attention import TargetPooling


class NumericEmbedding(nn.Module):
    """x -> x * w + b for every numeric field; a separate learned vector if x is null."""

    def __init__(self, num_fields: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_fields, dim))
        self.bias = nn.Parameter(torch.zeros(num_fields, dim))
        self.null_bias = nn.Parameter(torch.zeros(num_fields, dim))
        nn.init.normal_(self.weight, std=0.01)  # the scale of new embedding rows

    def forward(self, numeric: Tensor) -> Tensor:
        """(N, M) with NaN where null -> (N, M, E)."""
        values = numeric.unsqueeze(-1)
        null = torch.isnan(values)
        # Replace NaN before the product, because NaN * 0 would make the gradient of w NaN.
        embedded = torch.where(null, 0.0, values) * self.weight + self.bias
        return torch.where(null, self.null_bias, embedded)


class Tokenizer(nn.Module):
    """Fields (N, F, E) and numeric values (N, M) -> tokens (N, T, D).

    Attributes:
        target: Pools behaviour sequences by target attention; None with `sequence_pool` "mean".
        events: Turns events into tokens for blocks that read them; None if no block does.

    Raises:
        SpecError: If the config needs behaviour sequences and the layout has none.
    """

    order: Tensor

    def __init__(self, config: RankerConfig, layout: FeatureLayout) -> None:
        super().__init__()
        self.chunk_dim = chunk_dim(config, layout)
        self._num_tokens, self._token_dim = config.num_tokens, config.token_dim
        num_numeric = len(layout.of_kind("numeric"))
        self.numeric = NumericEmbedding(num_numeric, config.embedding_dim) if num_numeric else None
        self.project = PerTokenLinear(
            config.num_tokens, self.chunk_dim, config.token_dim, shared=config.share_proj
        )
        self.target = TargetPooling(config, layout) if config.sequence_pool == "target" else None
        self.events = _event_tokenizer(config, layout)
        self.dropout = nn.Dropout(config.dropout)
        order = field_order(layout, target_pooled=self.target is not None)
        self.register_buffer("order", torch.tensor(order), persistent=False)

    @property
    def uses_events(self) -> bool:
        """Whether `forward` needs events and their mask."""
        return self.target is not None or self.events is not None

    def flops(self) -> int:
        """Forward FLOPs per sample: 2TdD, plus target attention and event tokens."""
        projection = 2 * self._num_tokens * self.chunk_dim * self._token_dim
        return projection + sum(part.flops() for part in (self.target, self.events) if part)

    def forward(
        self,
        fields: Tensor,
        numeric: Tensor,
        events: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """`fields`: the categorical fields, then the mean-pooled sequences, in layout order."""
        assert events is not None or not self.uses_events, "the model needs events"
        parts = [fields]
        if self.numeric is not None:
            parts.append(self.numeric(numeric).to(fields.dtype))
        if self.target is not None:
            parts.append(self.target(fields, events, mask).to(fields.dtype))
        fields = torch.cat(parts, dim=1) if len(parts) > 1 else fields
        flat = fields.index_select(1, self.order).flatten(1)
        flat = F.pad(flat, (0, self._num_tokens * self.chunk_dim - flat.shape[1]))
        tokens: Tensor = self.project(flat.view(-1, self._num_tokens, self.chunk_dim))
        # The residual stream starts here, in the precision of the weights even under autocast.
        dropped: Tensor = self.dropout(tokens.to(self.project.weight.dtype))
        return dropped


def _event_tokenizer(config: RankerConfig, layout: FeatureLayout) -> EventTokenizer | None:
    events = config.events()
    if events is None:
        return None
    return EventTokenizer(
        events, layout, embedding_dim=config.embedding_dim, token_dim=config.token_dim
    )


def chunk_dim(config: RankerConfig, layout: FeatureLayout) -> int:
    """Width d of a chunk: total embedding width over T, rounded up."""
    return -(-len(layout.fields) * config.embedding_dim // config.num_tokens)


def field_order(layout: FeatureLayout, *, target_pooled: bool = False) -> list[int]:
    """The order in which fields are concatenated: sorted by domain, domains by first appearance.

    Entries are indices into [categorical, sequence, numeric] fields. With `target_pooled`,
    behaviour sequences have the indices after these, where `TargetPooling` appends its output.
    """
    by_kind = [f for kind in ("categorical", "sequence", "numeric") for f in layout.of_kind(kind)]
    indices = {field.name: index for index, field in enumerate(by_kind)}
    if target_pooled:
        pooled = enumerate(behaviour_sequences(layout), start=len(by_kind))
        indices |= {sequence.name: index for index, sequence in pooled}
    domains = list(dict.fromkeys(field.domain for field in layout.fields))
    ordered = sorted(layout.fields, key=lambda field: domains.index(field.domain))
    return [indices[field.name] for field in ordered]
