"""Attention to what is there: padding has no influence, and attending to nothing gives zero."""

import math

from torch import Tensor

from mixfront.models.layers.attention import join_heads, split_heads

HIDDEN = -1e9  # finite, so that a row without any key has finite gradients


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis where `mask` is True, and zero elsewhere.

    Args:
        scores: (..., S).
        mask: Bool, broadcasts to `scores`; a row may be all False.
    """
    return scores.masked_fill(~mask, HIDDEN).softmax(-1) * mask


def attend_masked(
    query: Tensor, key: Tensor, value: Tensor, num_heads: int, mask: Tensor
) -> Tensor:
    """concat_h softmax_j(q_i^h . k_j^h / sqrt(D / H)) v_j^h over the keys that i may see.

    Args:
        query: (N, Q, D), or (1, Q, D) for the same queries in all rows; H divides D.
        key: (N, S, D).
        value: (N, S, D).
        num_heads: H.
        mask: Bool, broadcasts to (N, H, Q, S).

    Returns:
        (N, Q, D).
    """
    q, k, v = (split_heads(x, num_heads) for x in (query, key, value))
    weights = masked_softmax((q / math.sqrt(q.shape[-1])) @ k.mT, mask)
    return join_heads(weights @ v)
