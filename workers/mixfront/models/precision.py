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
