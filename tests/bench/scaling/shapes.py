"""The families of the study at four sizes each, and the baselines.

Sizes grow in width; the smallest has one block. Eight tokens of three fields each are the eight
domains; Wukong has one field per token. Everything else is the family's default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NUM_TOKENS = 8
NUM_FIELDS = 24
SIZES = ("S", "M", "L", "XL")
_WIDTHS = ((16, 1), (32, 2), (64, 2), (128, 2))  # token_dim, num_blocks
_WUKONG = ((32, 4, 1), (96, 8, 2), (256, 8, 2), (512, 16, 3))  # MLP width, fm_rank, num_blocks


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A model of a family, and what of its training differs from the other families'."""

    family: str
    model: Mapping[str, Any]
    optimizer: Mapping[str, Any] = field(default_factory=dict)


def mixer(family: str, token_dim: int, num_blocks: int, **keys: Any) -> Shape:
    """A family with one token per domain."""
    width = {"num_tokens": NUM_TOKENS, "token_dim": token_dim, "num_blocks": num_blocks}
    return Shape(family=family, model=width | keys)


def wukong(mlp_width: int, fm_rank: int, num_blocks: int) -> Shape:
    """A Wukong with one token per field."""
    keys = {"num_blocks": num_blocks, "fm_rank": fm_rank, "mlp_hidden": [mlp_width, mlp_width]}
    return Shape(family="wukong", model={"num_tokens": NUM_FIELDS, "token_dim": 16} | keys)


FAMILIES: dict[str, dict[str, Shape]] = {
    family: {
        size: mixer(family, dim, blocks, **keys)
        for size, (dim, blocks) in zip(SIZES, _WIDTHS, strict=True)
    }
    for family, keys in {
        "rankmixer": {},
        "unimixer": {"block_size": 8},
        "unimixer_lite": {"block_size": 8, "num_bases": 4, "rank": 16},
        "heterogeneous_attention": {},
    }.items()
} | {"wukong": {size: wukong(*width) for size, width in zip(SIZES, _WUKONG, strict=True)}}

# The first gives AUC_0. Both are weak on purpose: every model of the grid must have a gain.
BASELINES: dict[str, Shape] = {
    # With one token the factorisation machine is 0, so the logit is a sum of one-field effects.
    "additive model": Shape(
        family="deepfm", model={"num_tokens": 1, "token_dim": 16, "head_hidden": []}
    ),
    "FM": Shape(
        family="deepfm", model={"num_tokens": NUM_FIELDS, "token_dim": 4, "head_hidden": []}
    ),
}
