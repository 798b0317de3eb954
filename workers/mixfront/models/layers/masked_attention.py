"""Attention over padded sequences; a fully masked row gets zero."""

import math

from torch import Tensor

from mixfront.models.layers.attention import join_heads, split_heads

MASKED_SCORE = -1e9  # finite, so that a fully masked row has finite gradients


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the positions of the last axis where `mask` is True; zero elsewhere.

    Args:
        scores: (..., S).
        mask: Bool, broadcast to `scores`; a row may be all False.
    """
    return scores.masked_fill(~mask, MASKED_SCORE).softmax(-1) * mask


def attend_masked(
    query: Tensor, key: Tensor, value: Tensor, num_heads: int, mask: Tensor
) -> Tensor:
    """concat_h softmax_j(q_i^h . k_j^h / sqrt(D / H)) v_j^h over the unmasked keys j.

    Args:
        query: (N, Q, D), or (1, Q, D) for the same queries in every row; H divides D.
        key: (N, S, D).
        value: (N, S, D).
        num_heads: H.
        mask: Bool, True where query i may attend to key j, broadcast to (N, H, Q, S).

    Returns:
        (N, Q, D).
    """
    q, k, v = (split_heads(x, num_heads) for x in (query, key, value))
    weights = masked_softmax((q / math.sqrt(q.shape[-1])) @ k.mT, mask)
    return join_heads(weights @ v)
