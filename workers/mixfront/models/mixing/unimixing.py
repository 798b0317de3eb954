"""UniMixing: local pattern, then global pattern, over blocks of the flattened input."""

from typing import Any

from torch import Tensor, nn
from torch.autograd import Function

from mixfront.models.layers.precision import as_matmuls_take_it


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
        # Rows innermost in memory: coming and going are plain transposes, the local part is one
        # bmm over blocks along rows, and its output is already the right-hand side of the
        # global GEMM. Cast first, for half the bytes are moved then.
        transposed: Any = _Transposed.apply
        blocks = transposed(as_matmuls_take_it(x).flatten(1)).unflatten(0, (-1, self._block_size))
        mixed: Tensor = self.global_pattern(self.local_pattern(blocks.mT))
        out: Tensor = transposed(mixed.mT.flatten(0, 1))
        return out.view(x.shape)


class _Transposed(Function):
    """A contiguous transpose whose gradient is one too, not a strided view that slows others."""

    @staticmethod
    def forward(_ctx: Any, matrix: Tensor) -> Tensor:
        return matrix.t().contiguous()

    @staticmethod
    def backward(_ctx: Any, grad: Tensor) -> Tensor:
        return grad.t().contiguous()
