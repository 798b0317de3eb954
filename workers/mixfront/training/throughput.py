"""How fast a trial trains: samples a second, and model FLOPs utilisation.

MFU = training FLOPs of the model per second (closed form, `models.cost`) / the devices' peak.
The peak is `$MIXFRONT_PEAK_FLOPS` per device if that is set, else what a large matrix product
reaches in the training precision on this device, measured once per process. Ranks that share a
CPU share its cores, so on a CPU measure with the threads that one rank has.
"""

import functools
import os
import time

import torch

from mixfront.models import Ranker, get_family
from mixfront.models.head import head_kind
from mixfront.models.model_cost import TRAINING

PEAK_VARIABLE = "MIXFRONT_PEAK_FLOPS"


def training_flops(family: str, ranker: Ranker, batch_size: int) -> int:
    """FLOPs of one training step, from the closed forms alone.

    The same number as `count_cost(...).training_flops`, which proves it with a forward on the
    meta device: a second that a trial need not spend, since its search has counted already.
    """
    config = ranker.config
    known = get_family(family)
    blocks = known.cost(config)
    per_sample = blocks.flops_per_sample + blocks.training_flops_per_sample
    per_sample += head_kind(known).flops(config) + ranker.tokenizer.flops()
    per_step = blocks.flops_per_step + blocks.sinkhorn_flops_per_step
    return int(TRAINING * (per_sample * batch_size + per_step))


def mfu(flops: float, seconds: float, *, device: str, precision: str, world_size: int) -> float:
    """Share of the devices' peak that training FLOPs done in some seconds make up."""
    peak = peak_flops(device, precision) * world_size
    return flops / seconds / peak if seconds > 0 else 0.0


@functools.cache
def peak_flops(device: str, precision: str) -> float:
    """FLOP/s of one device, given or measured."""
    given = os.environ.get(PEAK_VARIABLE)
    if given:
        return float(given)
    size = 8192 if device.startswith("cuda") else 1024
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    matrix = torch.ones(size, size, device=device, dtype=dtype)
    best = min(_seconds(matrix, device) for _ in range(4))
    return 2 * size**3 / best


def _seconds(matrix: torch.Tensor, device: str) -> float:
    _wait(device)
    start = time.perf_counter()
    torch.mm(matrix, matrix)
    _wait(device)
    return time.perf_counter() - start


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
