"""Where single precision is needed, whatever the autocast around it."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def outside_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A context in which autocast changes nothing on `device`."""
    if device.type == "meta":  # autocast knows no meta device
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def at_least_fp32(x: Tensor) -> Tensor:
    """`x` in float32, or as it is if it is float64."""
    return x if x.dtype == torch.float64 else x.float()


def as_matmuls_take_it(x: Tensor) -> Tensor:
    """`x` in the dtype that autocast hands to matmuls on its device; as it is outside autocast."""
    kind = x.device.type
    if kind == "meta" or x.dtype != torch.float32 or not torch.is_autocast_enabled(kind):
        return x
    return x.to(torch.get_autocast_dtype(kind))
