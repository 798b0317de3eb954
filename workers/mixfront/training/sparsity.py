"""How sparse learned mixing is: two numbers a pattern, which fall and rise as tau falls."""

from collections.abc import Sequence

import torch

from mixfront.models.mixing.view import MixingView

MAX_CELLS = 2**20  # of a pattern that are looked at; of larger ones, evenly spaced rows


def sparsity(view: MixingView) -> tuple[float, float]:
    """(effective support, largest share), means over rows.

    The effective support of a row is exp(entropy): m if it mixes all m entries alike, 1 if it
    takes a single one. The largest share is the row's largest entry. Rows are scaled to sum to 1
    first, which Sinkhorn leaves inexact.
    """
    cells = view.count * view.size**2
    rows = view.rows(slice(None, None, -(-cells // MAX_CELLS)))
    shares = rows / rows.sum(-1, keepdim=True)
    support = torch.special.entr(shares).sum(-1).exp().mean()
    return float(support), float(shares.amax(-1).mean())


def mixing_metrics(views: Sequence[MixingView]) -> dict[str, float]:
    """`mixing/global_support_layer0`, `mixing/global_peak_layer0`, ..., as `sparsity` has them."""
    found: dict[str, float] = {}
    for view in views:
        support, peak = sparsity(view)
        found[metric_name(view.kind, "support", view.layer)] = support
        found[metric_name(view.kind, "peak", view.layer)] = peak
    return found


def metric_name(kind: str, what: str, layer: int) -> str:
    """Name of one number; MLflow shows what lies before the slash as a group."""
    return f"mixing/{kind}_{what}_layer{layer}"
