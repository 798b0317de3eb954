"""A model's learned mixing matrices, layer by layer, for metrics and plots."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from mixfront.models.mixing.sinkhorn_pattern import TemperedPattern
from mixfront.models.mixing.unimixing import UniMixing


@dataclass(frozen=True, kw_only=True)
class MixingView:
    """The doubly stochastic matrices of one layer: its global matrix, or its local ones.

    Attributes:
        layer: Index of the layer, from 0.
        kind: A global matrix mixes the n blocks; a local one mixes the entries of its block.
        count: Number of matrices; 1 if global.
        size: m of an m x m matrix.
        tau: Temperature at which they were computed.
        rows: Returns a slice of the rows of every matrix, (count, k, m), float32, on demand.
    """

    layer: int
    kind: Literal["global", "local"]
    count: int
    size: int
    tau: float
    rows: Callable[[slice], Tensor]


def mixing_views(ranker: nn.Module) -> list[MixingView]:
    """The matrices of the last forward in eval mode without gradients, in layer order.

    Empty before such a forward, and for families without such matrices.
    """
    mixings = [module for module in ranker.modules() if isinstance(module, UniMixing)]
    views = [
        view
        for layer, mixing in enumerate(mixings)
        for view in (
            _view(layer, "global", mixing.global_pattern),
            _view(layer, "local", mixing.local_pattern),
        )
    ]
    return [view for view in views if view is not None]


def _view(layer: int, kind: Literal["global", "local"], pattern: object) -> MixingView | None:
    if not isinstance(pattern, TemperedPattern):
        return None
    first = pattern.cached_rows(slice(1))
    if first is None:
        return None

    def rows(which: slice) -> Tensor:
        cached = pattern.cached_rows(which)
        assert cached is not None, "training or a new temperature has emptied the cache"
        return cached.view(-1, *cached.shape[-2:])

    size = first.shape[-1]
    return MixingView(
        layer=layer,
        kind=kind,
        count=first.numel() // size,
        size=size,
        tau=float(pattern.tau),
        rows=rows,
    )
