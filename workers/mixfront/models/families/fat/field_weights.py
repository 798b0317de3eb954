"""The weights of a FAT layer (arXiv 2511.12081): separate per field, or composed of shared bases.

Shapes: F fields, D width, h hidden width, M bases. A layer has five kinds of matrix: Q, K, V
(D x D each) and the two of the FFN (D x h and h x D).
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from mixfront.models.layers.eval_cache import EvalCache
from mixfront.models.layers.precision import no_autocast

KINDS = 5
Weights = tuple[Tensor, Tensor, Tensor]  # (F, D, 3D) for Q | K | V, (F, D, h), (F, h, D)


class FieldWeights(nn.Module, ABC):
    """Provides all matrices of one layer."""

    @abstractmethod
    def forward(self) -> Weights:
        """Q | K | V in one tensor, then the two matrices of the FFN."""


class OwnWeights(FieldWeights):
    """Separate weights per field: F (3D^2 + 2Dh) parameters."""

    def __init__(self, num_fields: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.project = _xavier((num_fields, dim, 3 * dim), dim, dim)
        self.up = _xavier((num_fields, dim, hidden), dim, hidden)
        self.down = _xavier((num_fields, hidden, dim), hidden, dim)

    def forward(self) -> Weights:
        """Copies, because ZeRO-3 frees a module's parameters once its forward has returned."""
        return self.project.clone(), self.up.clone(), self.down.clone()


class ComposedWeights(FieldWeights):
    """W^f = sum of alpha_m B_m over the K bases with the highest g(phi_f), per kind of matrix.

    phi_f is one embedding for all five kinds, g a linear map without bias, and alpha the softmax
    over the K selected scores. In eval mode without gradients the composed weights are cached.

    Args:
        num_fields: F.
        dim: D.
        hidden: h.
        num_bases: M per kind.
        active: K, at most M.
        embedding_dim: Width of phi.
    """

    def __init__(
        self,
        num_fields: int,
        dim: int,
        hidden: int,
        *,
        num_bases: int,
        active: int,
        embedding_dim: int,
    ) -> None:
        super().__init__()
        self._active = active
        self._cache = EvalCache[Weights]()
        self.fields = nn.Parameter(torch.randn(num_fields, embedding_dim))  # phi
        self.pick = nn.Parameter(torch.empty(embedding_dim, KINDS * num_bases))  # g
        nn.init.normal_(self.pick, std=embedding_dim**-0.5)
        # The mean of K bases has 1/K of their variance; this scale compensates.
        scale = math.sqrt(active)
        self.project = _xavier((3, num_bases, dim, dim), dim, dim, scale)
        self.up = _xavier((num_bases, dim, hidden), dim, hidden, scale)
        self.down = _xavier((num_bases, hidden, dim), hidden, dim, scale)

    def forward(self) -> Weights:
        """Composed once per forward, in the precision of the parameters."""
        with no_autocast(self.pick.device):
            return self._cache.get(self, self._compose)

    def mixture(self) -> Tensor:
        """alpha (5, F, M), zero except for the K selected bases."""
        scores = (self.fields @ self.pick).view(len(self.fields), KINDS, -1).transpose(0, 1)
        top, bases = scores.topk(self._active, dim=-1)
        return torch.zeros_like(scores).scatter(-1, bases, top.softmax(-1))

    def _compose(self) -> Weights:
        alpha = self.mixture()
        qkv = torch.bmm(alpha[:3], self.project.flatten(2)).view(3, -1, *self.project.shape[2:])
        up = (alpha[3] @ self.up.flatten(1)).view(-1, *self.up.shape[1:])
        down = (alpha[4] @ self.down.flatten(1)).view(-1, *self.down.shape[1:])
        return torch.cat(tuple(qkv), dim=-1), up, down


def _xavier(shape: tuple[int, ...], dim_in: int, dim_out: int, scale: float = 1.0) -> nn.Parameter:
    """Uniform with the Xavier bound of a single dim_in x dim_out matrix, times `scale`."""
    bound = scale * math.sqrt(6 / (dim_in + dim_out))
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
