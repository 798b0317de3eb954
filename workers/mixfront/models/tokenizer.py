"""Field embeddings to tokens: order by semantic domain, concatenate, cut, project.

UniMixer and RankMixer Eq. 2: the concatenation E of all field embeddings is padded with
zeros, cut into T chunks of width d, and x_i = W_i E[d i : d i + d] + b_i.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.data.batch import FeatureLayout
from mixfront.models._base import RankerConfig
from mixfront.models.per_token import PerTokenLinear


class NumericEmbedding(nn.Module):
    """x -> x * w + b for every numeric field, and a vector of its own where x is null."""

    def __init__(self, num_fields: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_fields, dim))
        self.bias = nn.Parameter(torch.zeros(num_fields, dim))
        self.null_bias = nn.Parameter(torch.zeros(num_fields, dim))
        nn.init.normal_(self.weight, std=0.01)  # the scale of fresh embedding rows

    def forward(self, numeric: Tensor) -> Tensor:
        """(N, M) with NaN where null -> (N, M, E)."""
        known = numeric.unsqueeze(-1)
        null = torch.isnan(known)
        # NaN leaves the product before it is made: NaN * 0 would poison the gradient of w.
        embedded = torch.where(null, 0.0, known) * self.weight + self.bias
        return torch.where(null, self.null_bias, embedded)


class Tokenizer(nn.Module):
    """Fields (N, F, E) and numeric values (N, M) -> tokens (N, T, D)."""

    order: Tensor

    def __init__(self, config: RankerConfig, layout: FeatureLayout) -> None:
        super().__init__()
        self.chunk_dim = chunk_dim(config, layout)
        self._num_tokens = config.num_tokens
        num_numeric = len(layout.of_kind("numeric"))
        self.numeric = NumericEmbedding(num_numeric, config.embedding_dim) if num_numeric else None
        self.project = PerTokenLinear(
            config.num_tokens, self.chunk_dim, config.token_dim, shared=config.share_proj
        )
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("order", torch.tensor(field_order(layout)), persistent=False)

    def forward(self, fields: Tensor, numeric: Tensor) -> Tensor:
        """`fields` holds categorical, then pooled sequence fields, in layout order."""
        if self.numeric is not None:
            fields = torch.cat([fields, self.numeric(numeric).to(fields.dtype)], dim=1)
        flat = fields.index_select(1, self.order).flatten(1)
        flat = F.pad(flat, (0, self._num_tokens * self.chunk_dim - flat.shape[1]))
        tokens: Tensor = self.project(flat.view(-1, self._num_tokens, self.chunk_dim))
        # The residual streams start here: in the weights' precision, also under autocast.
        dropped: Tensor = self.dropout(tokens.to(self.project.weight.dtype))
        return dropped


def chunk_dim(config: RankerConfig, layout: FeatureLayout) -> int:
    """Width d of a chunk, rounded up."""
    return -(-len(layout.fields) * config.embedding_dim // config.num_tokens)


def tokenizer_flops(config: RankerConfig, chunk: int) -> int:
    """Forward FLOPs a sample, 2TdD."""
    return 2 * config.num_tokens * chunk * config.token_dim


def field_order(layout: FeatureLayout) -> list[int]:
    """Where each field of the concatenation comes from.

    Entries are positions in [categorical, sequence, numeric]; fields of one domain follow one
    another, domains in the order in which the layout first names them.
    """
    by_kind = [f for kind in ("categorical", "sequence", "numeric") for f in layout.of_kind(kind)]
    position = {field.name: index for index, field in enumerate(by_kind)}
    domains = list(dict.fromkeys(field.domain for field in layout.fields))
    ordered = sorted(layout.fields, key=lambda field: domains.index(field.domain))
    return [position[field.name] for field in ordered]
