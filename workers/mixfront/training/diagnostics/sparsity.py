"""Sparsity of learned mixing: as tau falls, effective support falls and largest share rises."""

import torch

from mixfront.models.mixing.view import MixingView


def sparsity(view: MixingView) -> tuple[float, float]:
    """(effective support, largest share), means over rows.

    The effective support of a row is exp(entropy): m if it weights all m entries equally, 1 if it
    selects a single one. The largest share is the row's largest entry. Rows are first rescaled to
    sum to 1, as Sinkhorn normalises them only approximately. Large matrices are sampled.
    """
    rows = view.rows(view.sample)
    shares = rows / rows.sum(-1, keepdim=True)
    support = torch.special.entr(shares).sum(-1).exp().mean()
    return float(support), float(shares.amax(-1).mean())
