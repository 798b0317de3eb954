"""Training speed as model FLOPs utilisation (MFU).

MFU = training FLOPs of the model per second (closed form, `models.cost`) / peak of the devices.
For `mfu`, the peak per device is `$MIXFRONT_PEAK_FLOPS` if set, else the rate of a large matrix
product in the training precision, measured once per process. Ranks on one CPU share its cores, so
on a CPU the peak is measured with the threads of one rank. For `mfu_vendor`, as papers report it,
the peak is that of the vendor's data sheet.
"""

import functools
import os
import time

import torch

from mixfront.models import Ranker, get_family
from mixfront.models.head import head_kind
from mixfront.models.model_cost import TRAINING

PEAK_VARIABLE = "MIXFRONT_PEAK_FLOPS"
VENDOR_PEAKS = {  # dense bf16 FLOP/s in NVIDIA's data sheets, by part of the device's name
    "H100 80GB HBM3": 989e12,
    "H200": 989e12,
    "A100": 312e12,
}


def training_flops(family: str, ranker: Ranker, batch_size: int) -> int:
    """FLOPs of one training step, from the closed forms.

    Equals `count_cost(...).training_flops`, which also verifies it by a forward pass on the meta
    device. That takes about a second, and the search has already done it.
    """
    config = ranker.config
    definition = get_family(family)
    blocks = definition.cost(config)
    per_sample = blocks.flops_per_sample + blocks.training_flops_per_sample
    per_sample += head_kind(definition).flops(config) + ranker.tokenizer.flops()
    per_step = blocks.flops_per_step + blocks.sinkhorn_flops_per_step
    return int(TRAINING * (per_sample * batch_size + per_step))


def utilisation(
    flops: float, seconds: float, *, device: str, precision: str, world_size: int
) -> dict[str, float]:
    """Rate of `flops` training FLOPs in `seconds`, as a share of the peak of all devices.

    Returns:
        `mfu`, and for a known device in bf16 also `mfu_vendor`.
    """
    rate = flops / seconds / world_size if seconds > 0 else 0.0
    shares = {"mfu": rate / peak_flops(device, precision)}
    if precision == "bf16" and device.startswith("cuda"):
        peak = vendor_peak(torch.cuda.get_device_name(device))
        shares |= {} if peak is None else {"mfu_vendor": rate / peak}
    return shares


def vendor_peak(device_name: str) -> float | None:
    """The vendor's bf16 peak of a device in FLOP/s; None if it is not in the table."""
    return next((peak for name, peak in VENDOR_PEAKS.items() if name in device_name), None)


@functools.cache
def peak_flops(device: str, precision: str) -> float:
    """Peak FLOP/s of one device, configured or measured."""
    configured = os.environ.get(PEAK_VARIABLE)
    if configured:
        return float(configured)
    size = 8192 if device.startswith("cuda") else 1024
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    matrix = torch.ones(size, size, device=device, dtype=dtype)
    best_s = min(_seconds(matrix, device) for _ in range(4))
    return 2 * size**3 / best_s


def _seconds(matrix: torch.Tensor, device: str) -> float:
    _synchronize(device)
    start = time.perf_counter()
    torch.mm(matrix, matrix)
    _synchronize(device)
    return time.perf_counter() - start


def _synchronize(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
