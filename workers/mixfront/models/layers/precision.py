"""Disables autocast where full precision matters, and casts early where that saves time."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def no_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context that disables autocast on `device`."""
    if device.type == "meta":  # autocast does not support the meta device
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def at_least_fp32(x: Tensor) -> Tensor:
    """`x` in float32; float64 stays float64."""
    return x if x.dtype == torch.float64 else x.float()


def to_autocast_dtype(x: Tensor) -> Tensor:
    """`x` in the dtype that autocast would cast it to for a matmul; unchanged without autocast."""
    kind = x.device.type
    if kind == "meta" or x.dtype != torch.float32 or not torch.is_autocast_enabled(kind):
        return x
    return x.to(torch.get_autocast_dtype(kind))
