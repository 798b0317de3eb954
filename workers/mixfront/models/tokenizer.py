"""From field embeddings to tokens: sort by semantic domain, concatenate, group, project.

`chunks`, as in UniMixer and RankMixer (Eq. 2): the concatenation E of all field embeddings is
padded with zeros and split into T chunks of width d, and x_i = W_i E[d i : d i + d] + b_i.
`semantic_groups`, as in TokenMixer-Large: each token reads all fields of one domain; see
`mixfront.models.field_groups`. A global token takes the place of the first and reads all fields.
With `tokenizer_hidden`, tokens are two-layer MLPs of what they read.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.models._base import RankerConfig
from mixfront.models.behaviour_sequences import behaviour_sequences
from mixfront.models.event_tokenizer import EventTokenizer
from mixfront.models.field_groups import GroupProjection, concatenate_tokens, field_groups
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
        SpecError: If the config needs behaviour sequences and the layout has none, or if there
            are fewer tokens than semantic groups.
    """

    order: Tensor

    def __init__(self, config: RankerConfig, layout: FeatureLayout) -> None:
        super().__init__()
        self._config = config
        groups = field_groups(config, layout)
        self._num_chunks = config.num_tokens - sum(group.num_tokens for group in groups)
        self.chunk_dim = chunk_dim(config, layout, self._num_chunks)
        num_numeric = len(layout.of_kind("numeric"))
        self.numeric = NumericEmbedding(num_numeric, config.embedding_dim) if num_numeric else None
        width = config.tokenizer_hidden or config.token_dim
        self.project = _chunk_projection(config, self._num_chunks, self.chunk_dim, width)
        self.groups = GroupProjection(groups, width) if groups else None
        self.output = _second_layer(config)
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
        """Forward FLOPs per sample, with target attention and event tokens.

        2TdD for chunks. If tokens are MLPs, D is h there, and 2ThD are added.
        """
        hidden, token_dim = self._config.tokenizer_hidden, self._config.token_dim
        chunks = 2 * self._num_chunks * self.chunk_dim * (hidden or token_dim)
        second_layer = 2 * self._config.num_tokens * hidden * token_dim
        parts = (self.groups, self.target, self.events)
        return chunks + second_layer + sum(part.flops() for part in parts if part)

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
        tokens = self._project(flat)
        if self.output is not None:
            tokens = self.output(torch.relu(tokens))
        # The residual stream starts here, in the precision of the weights even under autocast.
        dropped: Tensor = self.dropout(tokens.to(next(self.parameters()).dtype))
        return dropped

    def _project(self, flat: Tensor) -> Tensor:
        """(N, concatenated embeddings) -> (N, T, D), or (N, T, h) if tokens are MLPs."""
        parts: list[Tensor] = []
        if self.groups is not None:
            parts.append(self.groups(flat))
        if self.project is not None:
            flat = F.pad(flat, (0, self._num_chunks * self.chunk_dim - flat.shape[1]))
            parts.append(self.project(flat.view(-1, self._num_chunks, self.chunk_dim)))
        return concatenate_tokens(parts)


def _chunk_projection(
    config: RankerConfig, num_chunks: int, dim_in: int, dim_out: int
) -> PerTokenLinear | None:
    if num_chunks == 0:
        return None
    return PerTokenLinear(num_chunks, dim_in, dim_out, shared=config.share_proj)


def _second_layer(config: RankerConfig) -> PerTokenLinear | None:
    """h -> D for all tokens; with `share_proj`, all but the global token share it."""
    hidden, num_tokens = config.tokenizer_hidden, config.num_tokens
    if not hidden:
        return None
    shared_groups = [0] + [1] * (num_tokens - 1)
    return PerTokenLinear(
        num_tokens,
        hidden,
        config.token_dim,
        shared=config.share_proj and not config.global_token,
        groups=shared_groups if config.share_proj and config.global_token else None,
    )


def _event_tokenizer(config: RankerConfig, layout: FeatureLayout) -> EventTokenizer | None:
    events = config.events()
    if events is None:
        return None
    return EventTokenizer(
        events, layout, embedding_dim=config.embedding_dim, token_dim=config.token_dim
    )


def chunk_dim(config: RankerConfig, layout: FeatureLayout, num_chunks: int) -> int:
    """Width d of a chunk: total embedding width over the number of chunks, rounded up."""
    return -(-len(layout.fields) * config.embedding_dim // max(num_chunks, 1))


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
