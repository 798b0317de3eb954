"""Input-dependent global patterns G(X). Blocks are tokens here: B = D and n = T.

G(X) is T x T per head, and head h acts on the h-th group of columns of the local pattern's output.
"""

from torch import Tensor, nn

from mixfront.models.layers.attention import attend
from mixfront.models.layers.per_token import PerTokenLinear


class InputMixing(nn.Module):
    """Mix(X) = G(X) local(X) (UniMixer, table in Section 3).

    Args:
        local: Pattern that transforms each token of (T, N, D) separately.
        global_: Called with the tokens and the local pattern's output, both (N, T, D).
    """

    def __init__(self, local: nn.Module, global_: nn.Module) -> None:
        super().__init__()
        self.local_pattern = local
        self.global_pattern = global_

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        values = self.local_pattern(x.transpose(0, 1)).transpose(0, 1)
        out: Tensor = self.global_pattern(x, values)
        return out


class SoftmaxGlobal(nn.Module):
    """G^h(X) = softmax((X W_Q^h)(X W_K^h)^T / sqrt(D / H)), no biases.

    With local = W_V this is attention without its output projection; heads are split after W_V.

    Args:
        num_tokens: T.
        dim: D.
        num_heads: H; divides D.
        shared: Use one W_Q and W_K for all tokens instead of separate ones.
    """

    def __init__(self, num_tokens: int, dim: int, num_heads: int, *, shared: bool) -> None:
        super().__init__()
        self._num_heads = num_heads
        self.project = PerTokenLinear(num_tokens, dim, dim, parts=2, shared=shared, bias=False)

    def forward(self, x: Tensor, values: Tensor) -> Tensor:
        """(N, T, D) and (N, T, D) -> (N, T, D)."""
        query, key = self.project(x).chunk(2, dim=-1)
        return attend(query, key, values, self._num_heads)


class FMGlobal(nn.Module):
    """G(X) = X X^T, the dot products of all token pairs; with local = Y this is Wukong's FM."""

    def forward(self, x: Tensor, values: Tensor) -> Tensor:
        """(N, T, D) and (N, T, D) -> (N, T, D), multiplying in the cheaper order."""
        if x.shape[1] <= x.shape[2]:
            return (x @ x.mT) @ values
        return x @ (x.mT @ values)


def fm_flops(num_tokens: int, dim: int) -> int:
    """4TD min(T, D) per sample."""
    return 4 * num_tokens * dim * min(num_tokens, dim)
