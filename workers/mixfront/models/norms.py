"""RMSNorm and LayerNorm over a token, in the precision of their weights."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mixfront.models._base import NormKind

EPS = 1e-6


class Norm(nn.Module):
    """A norm over the last axis, of width `dim`.

    Under autocast matmuls hand over bfloat16; norms and the residual streams that they keep in
    check are float32, as the weights are.
    """

    def __init__(self, kind: NormKind, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim)) if kind == "layer" else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., dim), of the weights' dtype."""
        x = x.to(self.weight.dtype)
        if self.bias is None:
            return F.rms_norm(x, self.weight.shape, self.weight, EPS)
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, EPS)


def norm_params(kind: NormKind, dim: int) -> int:
    """Parameters of a `Norm`: RMSNorm has no bias."""
    return dim if kind == "rms" else 2 * dim
