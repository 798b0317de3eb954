"""RankMixer's parameter-free token mixing, and the permutation matrix that it is."""

import torch
from torch import Tensor


def token_mixing(x: Tensor, num_heads: int) -> Tensor:
    """Token h of the result is head h of every token, side by side (RankMixer, Eq. 3-5).

    Args:
        x: (N, T, D); `num_heads` divides D.
        num_heads: H.

    Returns:
        (N, H, T * D / H); of the shape of `x` where H = T.
    """
    rows, tokens, dim = x.shape
    return x.reshape(rows, tokens, num_heads, dim // num_heads).transpose(1, 2).flatten(2)


def permutation_matrix(num_tokens: int, num_heads: int) -> Tensor:
    """G (TH x TH) with flatten(token_mixing(x)) = (G kron I_{D/H}) flatten(x).

    Symmetric only if T = H, T = 1 or H = 1 (UniMixer, Section 3).
    """
    pieces = torch.arange(num_tokens * num_heads).view(num_tokens, num_heads)
    return torch.eye(num_tokens * num_heads)[pieces.t().flatten()]
