"""What a model has learned to mix: its matrices, layer by layer, to be looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from mixfront.models.mixing.sinkhorn_pattern import TemperedPattern
from mixfront.models.mixing.unimixing import UniMixing


@dataclass(frozen=True, kw_only=True)
class MixingView:
    """Doubly stochastic matrices of one layer: its global one, or its local ones.

    Attributes:
        layer: From 0.
        kind: The global matrix mixes the n blocks; a local one the entries of its block.
        count: How many there are; 1 if global.
        size: m of m x m.
        tau: The temperature that they were made at.
        rows: Some rows of all of them, (count, k, m), float32; formed when they are asked for.
    """

    layer: int
    kind: Literal["global", "local"]
    count: int
    size: int
    tau: float
    rows: Callable[[slice], Tensor]


def mixing_views(ranker: nn.Module) -> list[MixingView]:
    """The matrices of the last forward in eval mode without gradients, in the layers' order.

    None of families that learn no such matrices, nor before such a forward.
    """
    mixings = [module for module in ranker.modules() if isinstance(module, UniMixing)]
    found = [
        view
        for layer, mixing in enumerate(mixings)
        for view in (
            _view(layer, "global", mixing.global_pattern),
            _view(layer, "local", mixing.local_pattern),
        )
    ]
    return [view for view in found if view is not None]


def _view(layer: int, kind: Literal["global", "local"], pattern: object) -> MixingView | None:
    if not isinstance(pattern, TemperedPattern):
        return None
    first = pattern.kept_rows(slice(1))
    if first is None:
        return None

    def rows(which: slice) -> Tensor:
        kept = pattern.kept_rows(which)
        assert kept is not None, "dropped by training or by a new temperature meanwhile"
        return kept.view(-1, *kept.shape[-2:])

    size = first.shape[-1]
    return MixingView(
        layer=layer,
        kind=kind,
        count=first.numel() // size,
        size=size,
        tau=float(pattern.tau),
        rows=rows,
    )
