"""Multi-head attention without its projections, which differ between families."""

import math
from typing import Protocol

from torch import Tensor
from torch.nn import functional as F

MAX_UNFUSED_TOKENS = 64  # above this, a batch's scores take too much memory on a CPU


class HasHeads(Protocol):
    """A config with attention heads."""

    @property
    def token_dim(self) -> int:
        """D."""

    @property
    def num_heads(self) -> int:
        """H."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    num_heads: int,
    *,
    use_scale: bool = True,
    gate: Tensor | None = None,
) -> Tensor:
    """concat_h softmax_j(s_ij^h) v_j^h with s_ij = q_i . k_j / sqrt(D / H).

    Args:
        query: (N, T, D); `num_heads` divides D.
        key: (N, T, D).
        value: (N, T, V); `num_heads` divides V.
        num_heads: H.
        use_scale: If False, scores are not divided by sqrt(D / H).
        gate: (T, T), multiplied into the scores of every head.

    Returns:
        (N, T, V).
    """
    q, k, v = (split_heads(x, num_heads) for x in (query, key, value))
    scale = 1 / math.sqrt(q.shape[-1]) if use_scale else 1.0
    if gate is None and (query.is_cuda or query.shape[1] > MAX_UNFUSED_TOKENS):
        out = F.scaled_dot_product_attention(q, k, v, scale=scale)
    else:  # the CPU's fused kernel is 2 to 11 times slower in bf16; none supports a gate
        scores = (q * scale) @ k.mT
        out = (scores if gate is None else scores * gate).softmax(-1) @ v
    return join_heads(out)


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(N, S, D) -> (N, H, S, D / H)."""
    rows, length, dim = x.shape
    return x.reshape(rows, length, num_heads, dim // num_heads).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(N, H, S, D / H) -> (N, S, D)."""
    return x.transpose(1, 2).flatten(2)


def attention_flops(num_tokens: int, dim: int, value_dim: int | None = None) -> int:
    """2T^2 (D + V) per sample: scores, and weighted values of width V; None is D."""
    return 2 * num_tokens**2 * (dim + (value_dim or dim))


def check_heads(config: HasHeads) -> None:
    """Check that the heads divide a token.

    Raises:
        ValueError: If D is not a multiple of H.
    """
    if config.token_dim % config.num_heads:
        raise ValueError(
            f"num_heads {config.num_heads} does not divide token_dim {config.token_dim}; "
            "set a divisor"
        )
