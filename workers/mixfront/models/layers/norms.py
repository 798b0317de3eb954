"""RMSNorm and LayerNorm, computed in the precision of their weights."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from mixfront.models._base import NormKind

EPS = 1e-6  # UniMixer's authors have 1e-8, which makes no difference in AUC (docs/decisions.md)


class Norm(nn.Module):
    """RMSNorm or LayerNorm over the last axis, of width `dim`.

    Under autocast, matmuls return bfloat16; the norm computes and returns float32, like its
    weights, and so keeps the residual stream in float32.
    """

    def __init__(self, kind: NormKind, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim)) if kind == "layer" else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) -> (..., dim), in the weights' dtype."""
        x = x.to(self.weight.dtype)
        if self.bias is None:
            return rms_norm(x, self.weight)
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, EPS)


def rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last axis: (..., D) -> (..., D)."""
    if x.is_cuda:
        return F.rms_norm(x, weight.shape, weight, EPS)
    apply: Any = _RMSNorm.apply
    result: Tensor = apply(x, weight)
    return result


class _RMSNorm(torch.autograd.Function):
    """Takes half the time of torch's RMSNorm on a CPU, which runs there as many small kernels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        norm: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = norm.square_().div_(x.shape[-1]).add_(EPS).rsqrt_()
        normed = x * scale
        ctx.save_for_backward(normed, scale, weight)
        return normed * weight

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        normed, scale, weight = ctx.saved_tensors
        by_weight = (grad * normed).flatten(0, -2)
        projection = torch.mv(by_weight, weight).div_(-len(weight)).view_as(scale)
        return (grad * weight).addcmul_(normed, projection).mul_(scale), by_weight.sum(0)


def norm_params(kind: NormKind, dim: int) -> int:
    """Parameters of a `Norm`; RMSNorm has no bias."""
    return dim if kind == "rms" else 2 * dim
