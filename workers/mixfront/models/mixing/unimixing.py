"""UniMixing: local pattern, then global pattern, over blocks of the flattened input."""

from torch import Tensor, nn


class UniMixing(nn.Module):
    """Mix(X) = reshape(G [x_1 W_B^1; ...; x_n W_B^n]) (UniMixer, Section 3.2).

    X (T, D) is flattened and cut into n = T D / B rows of width B. As one matrix over the
    flattened input its (i, j) block is G_ij (W_B^j)^T.

    Args:
        local: Pattern on blocks (n, N, B) that leaves them in place.
        global_: Pattern that mixes the blocks.
        block_size: B.
    """

    def __init__(self, local: nn.Module, global_: nn.Module, block_size: int) -> None:
        super().__init__()
        self.local_pattern = local
        self.global_pattern = global_
        self._block_size = block_size

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        # n outermost: the local part is one bmm over blocks, and its output is already the
        # right-hand side of the global GEMM. The copy here pays for itself in the backward.
        blocks = x.reshape(len(x), -1, self._block_size).transpose(0, 1).contiguous()
        mixed: Tensor = self.global_pattern(self.local_pattern(blocks))
        return mixed.transpose(0, 1).reshape(x.shape)
