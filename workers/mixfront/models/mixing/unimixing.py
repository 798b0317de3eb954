"""UniMixing: a local pattern, then a global pattern, over blocks of the flattened input."""

from typing import Any

from torch import Tensor, nn
from torch.autograd import Function

from mixfront.models.layers.precision import to_autocast_dtype


class UniMixing(nn.Module):
    """Mix(X) = reshape(G [x_1 W_B^1; ...; x_n W_B^n]) (UniMixer, Section 3.2).

    X (T, D) is flattened and split into n = T D / B blocks of width B. As one matrix over the
    flattened input, its (i, j) block is G_ij (W_B^j)^T.

    Args:
        local: Pattern that transforms each block of (n, N, B) separately.
        global_: Pattern that mixes the blocks.
        block_size: B.
        transpose: Flatten X^T (D, T) instead of X; the result is reshaped to (T, D) all the same.
    """

    def __init__(
        self, local: nn.Module, global_: nn.Module, block_size: int, *, transpose: bool = False
    ) -> None:
        super().__init__()
        self.local_pattern = local
        self.global_pattern = global_
        self._block_size = block_size
        self._transpose = transpose

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, D) -> (N, T, D)."""
        # Batch rows are innermost in memory, at the cost of one transpose on the way in and one on
        # the way out. The local pattern is then one bmm along rows, and its output is already the
        # right-hand side of the global GEMM. Casting first halves the bytes to transpose.
        transpose: Any = _Transpose.apply
        columns: Any = transpose(to_autocast_dtype(x).flatten(1))
        if self._transpose:  # moves whole rows of N; permuting X itself took 2 to 4 times as long
            columns = columns.unflatten(0, x.shape[1:]).transpose(0, 1).flatten(0, 1)
        blocks = columns.unflatten(0, (-1, self._block_size))
        mixed: Tensor = self.global_pattern(self.local_pattern(blocks.mT))
        out: Tensor = transpose(mixed.mT.flatten(0, 1))
        return out.view(x.shape)


class _Transpose(Function):
    """A transpose with contiguous output and gradient; strided views slow down later steps."""

    @staticmethod
    def forward(_ctx: Any, matrix: Tensor) -> Tensor:
        return matrix.t().contiguous()

    @staticmethod
    def backward(_ctx: Any, grad: Tensor) -> Tensor:
        return grad.t().contiguous()
