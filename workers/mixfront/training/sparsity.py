"""Sparsity of learned mixing: as tau falls, effective support falls and largest share rises."""

from collections.abc import Sequence

import torch

from mixfront.models.mixing.view import MixingView

MAX_CELLS = (
    2**20
)  # entries of a pattern that are examined; larger ones are sampled by evenly spaced rows


def sparsity(view: MixingView) -> tuple[float, float]:
    """(effective support, largest share), means over rows.

    The effective support of a row is exp(entropy): m if it weights all m entries equally, 1 if it
    selects a single one. The largest share is the row's largest entry. Rows are first rescaled to
    sum to 1, as Sinkhorn normalises them only approximately.
    """
    cells = view.count * view.size**2
    rows = view.rows(slice(None, None, -(-cells // MAX_CELLS)))
    shares = rows / rows.sum(-1, keepdim=True)
    support = torch.special.entr(shares).sum(-1).exp().mean()
    return float(support), float(shares.amax(-1).mean())


def mixing_metrics(views: Sequence[MixingView]) -> dict[str, float]:
    """The results of `sparsity` as `mixing/global_support_layer0` and so on."""
    metrics: dict[str, float] = {}
    for view in views:
        support, peak = sparsity(view)
        metrics[metric_name(view.kind, "support", view.layer)] = support
        metrics[metric_name(view.kind, "peak", view.layer)] = peak
    return metrics


def metric_name(kind: str, what: str, layer: int) -> str:
    """Name of a metric; MLflow groups metrics by the part before the slash."""
    return f"mixing/{kind}_{what}_layer{layer}"
