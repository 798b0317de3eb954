"""A model's learned mixing matrices, layer by layer, for metrics and plots."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from mixfront.models.mixing.sinkhorn_pattern import TemperedPattern
from mixfront.models.mixing.unimixing import UniMixing

Kind = Literal["global", "local"]
Place = tuple[int, Kind]  # layer, from 0, and kind of pattern
MAX_CELLS = 2**20  # entries that a sample of rows may have


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
    kind: Kind
    count: int
    size: int
    tau: float
    rows: Callable[[slice], Tensor]

    @property
    def place(self) -> Place:
        """Layer and kind."""
        return self.layer, self.kind

    @property
    def sample(self) -> slice:
        """All rows, or evenly spaced ones if the matrices have more than `MAX_CELLS` entries."""
        return slice(None, None, -(-self.count * self.size**2 // MAX_CELLS))


def mixing_patterns(ranker: nn.Module) -> dict[Place, TemperedPattern]:
    """The doubly stochastic patterns, layer by layer, global before local."""
    mixings = [module for module in ranker.modules() if isinstance(module, UniMixing)]
    patterns: dict[Place, nn.Module] = {}
    for layer, mixing in enumerate(mixings):
        patterns[layer, "global"] = mixing.global_pattern
        patterns[layer, "local"] = mixing.local_pattern
    return {place: p for place, p in patterns.items() if isinstance(p, TemperedPattern)}


def mixing_views(ranker: nn.Module) -> list[MixingView]:
    """The matrices of the last forward in eval mode without gradients, in layer order.

    Empty before such a forward, and for families without such matrices.
    """
    views = [mixing_view(place, pattern) for place, pattern in mixing_patterns(ranker).items()]
    return [view for view in views if view is not None]


def mixing_view(place: Place, pattern: TemperedPattern) -> MixingView | None:
    """The cached matrices of a pattern; None if it has none."""
    first = pattern.cached_rows(slice(1))
    if first is None:
        return None

    def rows(which: slice) -> Tensor:
        cached = pattern.cached_rows(which)
        assert cached is not None, "training or a new temperature has emptied the cache"
        return cached.view(-1, *cached.shape[-2:])

    layer, kind = place
    size = first.shape[-1]
    return MixingView(
        layer=layer,
        kind=kind,
        count=first.numel() // size,
        size=size,
        tau=float(pattern.tau),
        rows=rows,
    )
