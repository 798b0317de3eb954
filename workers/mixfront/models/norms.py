"""RMSNorm and LayerNorm behind one name."""

from torch import nn

from mixfront.models._base import NormKind

EPS = 1e-6


def make_norm(kind: NormKind, dim: int) -> nn.Module:
    """A norm over the last axis, of width `dim`."""
    return nn.RMSNorm(dim, eps=EPS) if kind == "rms" else nn.LayerNorm(dim, eps=EPS)


def norm_params(kind: NormKind, dim: int) -> int:
    """Parameters of `make_norm`: RMSNorm has no bias."""
    return dim if kind == "rms" else 2 * dim
