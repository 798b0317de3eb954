"""Groups of fields that tokens read whole, as in TokenMixer-Large (arXiv 2602.06563).

A semantic group is a domain of the schema; the group of a global token is all fields. A token is a
linear map or an MLP of its group's concatenated embeddings. The paper has one token per semantic
group. Here a group may have several, each with its own map or MLP, so that T does not depend on
the schema.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mixfront.data.batch import FeatureLayout
from mixfront.exceptions import SpecError
from mixfront.models._base import RankerConfig
from mixfront.models.layers.per_token import PerTokenLinear


@dataclass(frozen=True, kw_only=True)
class FieldGroup:
    """Consecutive columns of the concatenated embeddings, read by `num_tokens` tokens."""

    start: int
    width: int
    num_tokens: int


class GroupProjection(nn.Module):
    """Each token's own affine map of its whole group, one GEMM per group."""

    def __init__(self, groups: Sequence[FieldGroup], dim_out: int) -> None:
        super().__init__()
        self._groups, self._dim_out = tuple(groups), dim_out
        self.maps = nn.ModuleList(
            PerTokenLinear(1, group.width, dim_out, parts=group.num_tokens) for group in groups
        )

    def forward(self, flat: Tensor) -> Tensor:
        """(N, concatenated embeddings) -> (N, tokens of all groups, out)."""
        tokens = []
        for group, project in zip(self._groups, self.maps, strict=True):
            rows = flat.narrow(1, group.start, group.width).unsqueeze(1)
            tokens.append(project(rows).view(-1, group.num_tokens, self._dim_out))
        return concatenate_tokens(tokens)

    def flops(self) -> int:
        """Per sample, 2 * width * out for every token."""
        return sum(2 * group.width * group.num_tokens * self._dim_out for group in self._groups)


def concatenate_tokens(parts: Sequence[Tensor]) -> Tensor:
    """(N, T_i, D) each -> (N, T, D), laid out in memory as `PerTokenLinear` does."""
    if len(parts) == 1:
        return parts[0]
    return torch.cat([part.transpose(0, 1) for part in parts]).transpose(0, 1)


def field_groups(config: RankerConfig, layout: FeatureLayout) -> list[FieldGroup]:
    """Groups of the tokens that read whole groups, in the order of these tokens.

    The global token, if any, is the first. With `semantic_groups`, the other tokens follow, in
    the order of `field_order`.

    Raises:
        SpecError: If there are fewer tokens than semantic groups.
    """
    width = len(layout.fields) * config.embedding_dim
    groups = [FieldGroup(start=0, width=width, num_tokens=1)] if config.global_token else []
    if config.tokenizer == "semantic_groups":
        groups += _semantic_groups(config, layout)
    return groups


def _semantic_groups(config: RankerConfig, layout: FeatureLayout) -> list[FieldGroup]:
    sizes = Counter(field.domain for field in layout.fields)  # in order of first appearance
    num_tokens = config.num_tokens - config.global_token
    if num_tokens < len(sizes):
        needed = f"{len(sizes)} semantic groups" + " and a global token" * config.global_token
        raise SpecError(
            f"num_tokens {config.num_tokens} is too few for {needed}: the schema's domains are "
            f"{', '.join(sizes)}; set at least {len(sizes) + config.global_token}, or tokenizer "
            "to chunks"
        )
    groups, start = [], 0
    counts = tokens_per_group(list(sizes.values()), num_tokens)
    for size, count in zip(sizes.values(), counts, strict=True):
        width = size * config.embedding_dim
        groups.append(FieldGroup(start=start, width=width, num_tokens=count))
        start += width
    return groups


def tokens_per_group(sizes: Sequence[int], num_tokens: int) -> list[int]:
    """Allot tokens to groups in proportion to their sizes, at least one each.

    Each further token goes to the group that has the most fields per token.
    """
    counts = [1] * len(sizes)
    for _ in range(num_tokens - len(sizes)):
        widest = max(range(len(sizes)), key=lambda group: sizes[group] / counts[group])
        counts[widest] += 1
    return counts
