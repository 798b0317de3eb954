"""RankMixer's parameter-free token mixing: as a function, a matrix and a global pattern."""

from typing import Literal

import torch
from torch import Tensor, nn

Init = Literal["normal", "near_perm", "identity"]


def token_mixing(x: Tensor, num_heads: int) -> Tensor:
    """Token h of the output concatenates head h of every token (RankMixer, Eq. 3-5).

    Args:
        x: (N, T, D); `num_heads` divides D.
        num_heads: H.

    Returns:
        (N, H, T * D / H), which is the shape of `x` if H = T.
    """
    rows, tokens, dim = x.shape
    return x.reshape(rows, tokens, num_heads, dim // num_heads).transpose(1, 2).flatten(2)


def permutation_matrix(num_tokens: int, num_heads: int) -> Tensor:
    """G (TH x TH) with flatten(token_mixing(x)) = (G kron I_{D/H}) flatten(x).

    Symmetric only if T = H, T = 1 or H = 1 (UniMixer, Section 3).
    """
    heads = torch.arange(num_tokens * num_heads).view(num_tokens, num_heads)
    return torch.eye(num_tokens * num_heads)[heads.t().flatten()]


def initial_logits(
    init: Init, strength: float, *, num_tokens: int, dim: int, block_size: int
) -> Tensor | None:
    """Global logits (n x n) of a start that is not random; None if it is.

    With T x T blocks, `near_perm` is the transposition (commutation matrix) of the authors' code.
    At temperature tau, a selected cell starts with the share e / (e + n - 1) of its row, where
    e = exp(strength / tau).

    Args:
        init: How the logits start.
        strength: Logit of the selected cells; the others are 0.
        num_tokens: T.
        dim: D; for `near_perm`, a multiple of B.
        block_size: B.
    """
    if init == "normal":
        return None
    if init == "identity":
        return strength * torch.eye(num_tokens * dim // block_size)
    return strength * permutation_matrix(num_tokens, dim // block_size)


class PermutationGlobal(nn.Module):
    """Token mixing as a pattern: permutes the T H heads of width B = D / H; no parameters.

    Args:
        num_tokens: T.
        num_heads: H.
    """

    def __init__(self, num_tokens: int, num_heads: int) -> None:
        super().__init__()
        self._shape = (num_tokens, num_heads)

    def forward(self, x: Tensor) -> Tensor:
        """(T H, N, B) -> (H T, N, B)."""
        blocks = x.mT  # the memory layout
        heads = blocks.reshape(*self._shape, *blocks.shape[1:])
        return heads.transpose(0, 1).flatten(0, 1).mT
