"""Batched products of grouped rows, which gather and collect the rows of all buckets at once.

Hidden units are outside rows, (c, h, P), so that everything between the two products works on long
contiguous runs. As every row's places are known, gradients need no atomic sums.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mixfront.models.families.tokenmixer_large.grouping import Grouping


def rows_to_hidden(x: Tensor, weights: Sequence[Tensor], grouping: Grouping) -> Tensor:
    """(N, T, D) and (c, h, D) of every bucket -> (c, h, P) of every bucket, in one flat tensor.

    One tensor, because ZeRO 3 needs as many outputs from a layer on every rank.
    """
    apply: Callable[..., Tensor] = _RowsToHidden.apply
    return apply(grouping, x, *weights)


def split_hidden(flat: Tensor, grouping: Grouping, num_units: int) -> list[Tensor]:
    """A flat tensor -> views (c, s `num_units`, P) of every bucket."""
    heights = [bucket.experts.shape[1] * num_units for bucket in grouping.buckets]
    pairs = list(zip(heights, grouping.buckets, strict=True))
    parts = torch.split(flat, [height * bucket.num_slots for height, bucket in pairs])
    return [
        part.view(bucket.num_groups, height, bucket.capacity)
        for part, (height, bucket) in zip(parts, pairs, strict=True)
    ]


def hidden_to_rows(
    hidden: Sequence[Tensor], weights: Sequence[Tensor], grouping: Grouping
) -> Tensor:
    """(c, h, P) and (c, h, D) of every bucket -> (N, T, D), the sum over a row's experts.

    Hidden units of padding must come from a product with zero: they receive the gradient of a row.
    """
    apply: Callable[..., Tensor] = _HiddenToRows.apply
    return apply(grouping, *hidden, *weights)


class _RowsToHidden(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grouping: Grouping, x: Tensor, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(grouping.rows, grouping.slots, x, *weights)
        ctx.grouping = grouping
        units = weights[0].shape[1] // grouping.buckets[0].experts.shape[1]
        pairs = zip(grouping.buckets, weights, strict=True)
        flat = x.new_empty(sum(b.num_slots * weight.shape[1] for b, weight in pairs))
        outputs = split_hidden(flat, grouping, units)
        for weight, rows, out in zip(weights, _gather(x, grouping), outputs, strict=True):
            torch.bmm(weight, rows.mT, out=out)
        return flat

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, flat: Tensor) -> tuple[Tensor | None, ...]:
        _, _, x, *weights = ctx.saved_tensors
        grouping: Grouping = ctx.grouping
        units = weights[0].shape[1] // grouping.buckets[0].experts.shape[1]
        grads = split_hidden(flat.contiguous(), grouping, units)
        of_rows = flat.new_empty(len(grouping.rows), x.shape[-1])
        of_weights = []
        parts = zip(grads, weights, _gather(x, grouping), grouping.split(of_rows), strict=True)
        for grad, weight, rows, out in parts:
            of_weights.append(torch.bmm(grad, rows))
            torch.bmm(grad.mT, weight, out=out)
        return None, _collect(of_rows, grouping), *of_weights


class _HiddenToRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grouping: Grouping, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(grouping.rows, grouping.slots, *tensors)
        ctx.grouping = grouping
        num_buckets = len(grouping.buckets)
        hidden, weights = tensors[:num_buckets], tensors[num_buckets:]
        out = hidden[0].new_empty(len(grouping.rows), weights[0].shape[-1])
        for h, weight, rows in zip(hidden, weights, grouping.split(out), strict=True):
            torch.bmm(h.mT, weight, out=rows)
        return _collect(out, grouping)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        _, _, *tensors = ctx.saved_tensors
        grouping: Grouping = ctx.grouping
        num_buckets = len(grouping.buckets)
        of_hidden, of_weights = [], []
        parts = zip(
            tensors[:num_buckets], tensors[num_buckets:], _gather(grad, grouping), strict=True
        )
        for h, weight, rows in parts:
            of_hidden.append(torch.bmm(weight, rows.mT))
            of_weights.append(torch.bmm(h, rows))
        return None, *of_hidden, *of_weights


def _gather(x: Tensor, grouping: Grouping) -> Iterator[Tensor]:
    """(N, T, D) -> (c, P, D) of every bucket, just before its product, so that it is in cache."""
    flat = x.reshape(-1, x.shape[-1])
    for rows in grouping.split(grouping.rows):
        yield flat.index_select(0, rows.flatten()).view(*rows.shape[:2], -1)


def _collect(y: Tensor, grouping: Grouping) -> Tensor:
    """(S, D) -> (N, T, D), the sum over the slots of a row; padding is left out."""
    slots = grouping.slots
    parts = y.index_select(0, slots.flatten()).view(*slots.shape, -1)
    return parts.squeeze(2) if slots.shape[2] == 1 else parts.sum(2)
